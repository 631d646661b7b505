import { stripVTControlCharacters } from "node:util";
import { readLinesAsync } from "../../base/text/lines.ts";
import { type LogArguments, markEnd, markStart } from "./log-arguments.ts";

/** Output of git log cut where owners are to be put in. */
export type LogPiece =
  | { readonly text: Buffer }
  | {
      /** Possibly abbreviated. */
      readonly commit: string;
      /** `header`: a whole line that starts with `prefix`; `line`: the end of the line before. */
      readonly place: "header" | "line";
      /** Graph characters. */
      readonly prefix: string;
    };

/** Longest line that is looked at; longer ones are content and pass in pieces of this size. */
const maxLineBytes = 1024 * 1024 * 1024;
const commitLine = /^([|\\/ _.*-]*)commit ([0-9a-f]{4,64})(?![0-9a-f])/;
const marked = new RegExp(`${markStart}([0-9a-f]{4,64})${markEnd}`);

/** Finds the commits in git's output, line by line. */
export async function* readLogPieces(
  output: AsyncIterable<Buffer>,
  mode: LogArguments["mode"],
): AsyncGenerator<LogPiece> {
  let open: string | undefined;
  for await (const line of readLinesAsync(output, maxLineBytes)) {
    if ("oversized" in line) continue;
    const newline = line.terminated ? "\n" : "";
    const text = line.bytes.toString("latin1");
    const mark = mode === "marked" ? marked.exec(text) : null;
    if (mark?.[1] !== undefined) {
      yield { text: Buffer.from(text.replace(mark[0], ""), "latin1") };
      yield { commit: mark[1], place: "line", prefix: "" };
      yield { text: Buffer.from(newline) };
      continue;
    }
    const header = mode === "header" ? headerOf(text) : undefined;
    if (header !== undefined) open = header;
    else if (open !== undefined && isEndOfHeader(text)) {
      // the blank line has the graph that belongs there
      yield { commit: open, prefix: text, place: "header" };
      open = undefined;
    }
    yield { text: Buffer.concat([line.bytes, Buffer.from(newline)]) };
  }
  if (open !== undefined) yield { commit: open, prefix: "", place: "header" };
}

function headerOf(text: string): string | undefined {
  const [, graph = "", commit] = commitLine.exec(stripVTControlCharacters(text)) ?? [];
  // an indented "commit ..." is a message or content; in a graph a commit has its star
  const star = graph.replace(/\*[|\\/ _.-]*$/, "*");
  return graph === "" || star.endsWith("*") ? commit : undefined;
}

/** The blank line (graph characters aside) between header and message. */
function isEndOfHeader(text: string): boolean {
  return /^[|\\/ _.*-]*$/.test(stripVTControlCharacters(text));
}
