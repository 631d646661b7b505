import type { JSX } from "preact";
import { type PaintedLine, roles } from "./painted-line.ts";

/** A line of code; pieces of it in colours where they are known. It is text whatever it holds. */
export function Code({
  text,
  line,
}: {
  readonly text: string;
  readonly line: PaintedLine | undefined;
}): JSX.Element {
  if (line === undefined || line.length < 2) return <code>{text}</code>;
  const pieces: (string | JSX.Element)[] = [];
  let at = 0;
  for (let place = 0; place < line.length; place += 2) {
    const piece = text.slice(at, at + (line[place] ?? 0));
    const role = roles[line[place + 1] ?? 0] ?? "";
    at += piece.length;
    pieces.push(
      role === "" ? (
        piece
      ) : (
        <span key={place} class={`code-${role}`}>
          {piece}
        </span>
      ),
    );
  }
  // what no grammar spoke about is shown all the same
  pieces.push(text.slice(at));
  return <code>{pieces}</code>;
}
