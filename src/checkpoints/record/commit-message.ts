import { creditedAgent } from "./credit-trailers.ts";
import type { CheckpointId } from "./ids.ts";
import { trailingCheckpoints } from "./trailers.ts";

export const checkpointTrailer = "Entire-Checkpoint";

export interface MessageStyle {
  /** What begins a comment line; undefined where git will keep every line as it is. */
  readonly comment: string | undefined;
}

/** The checkpoints that a message names as git itself reads trailers: those of its last paragraph. */
export function messageCheckpoints(message: string, { comment }: MessageStyle): CheckpointId[] {
  const { body } = splitMessage(message, comment);
  return trailingCheckpoints(body.filter((line) => !isComment(line, comment)).join("\n"));
}

/**
 * The message with trailers that name checkpoints, where git's own parser finds them: in the last paragraph if that is
 * one of trailers, else in a new one; never in the subject's. Below it, `hints` as comment lines where git takes
 * comments out. Ids that the message names already are left out. `credits` are trailers that name agents, beside those of
 * the checkpoints. Pure.
 */
export function addCheckpointTrailers(
  message: string,
  {
    ids,
    style,
    credits = [],
    hints = [],
  }: {
    readonly ids: readonly CheckpointId[];
    readonly credits?: readonly string[];
    readonly style: MessageStyle;
    readonly hints?: readonly string[];
  },
): string {
  const known = messageCheckpoints(message, style);
  const { comment } = style;
  const { body, rest } = splitMessage(message, comment);
  const added = [
    ...credits.filter((credit) => !body.includes(credit)),
    ...ids.filter((id) => !known.includes(id)).map((id) => `${checkpointTrailer}: ${id}`),
  ];
  if (added.length === 0) return message;
  const text = body.filter((line) => !isComment(line, comment));
  const lines = [...body];
  if (text.every((line) => line.trim() === "")) lines.splice(0, lines.length, "", "");
  else if (!endsInTrailers(text)) lines.push("");
  lines.push(...added);
  const notes = comment === undefined || rest.length === 0 ? [] : hints.map((hint) => `${comment} ${hint}`);
  const below = rest.length === 0 && notes.length === 0 ? [] : ["", ...notes, ...rest];
  return [...lines, ...below].join("\n") + (rest.length === 0 ? "\n" : "");
}

/** True if nothing is left of a message but our trailers, with a checkpoint's among them: nobody wrote one. */
export function isOnlyTrailers(message: string, { comment }: MessageStyle): boolean {
  const { body } = splitMessage(message, comment);
  const text = body.filter((line) => !isComment(line, comment) && line.trim() !== "");
  return text.some(isCheckpointLine) && text.every((line) => isCheckpointLine(line) || isCredit(line));
}

/** A message that nobody wrote, without our trailers. */
export function removeOwnTrailers(message: string): string {
  return message
    .split("\n")
    .filter((line) => !isCheckpointLine(line) && !isCredit(line))
    .join("\n");
}

function isCheckpointLine(line: string): boolean {
  return line.startsWith(`${checkpointTrailer}: `);
}

function isCredit(line: string): boolean {
  return creditedAgent(line) !== undefined;
}

/** What the user wrote, and what git put behind it: comments, and the diff under its scissors line. */
function splitMessage(
  message: string,
  comment: string | undefined,
): { readonly body: readonly string[]; readonly rest: readonly string[] } {
  const lines = message.split("\n");
  const scissors =
    comment === undefined
      ? -1
      : lines.indexOf(`${comment} ------------------------ >8 ------------------------`);
  let end = scissors === -1 ? lines.length : scissors;
  while (end > 0 && ((lines[end - 1] ?? "").trim() === "" || isComment(lines[end - 1] ?? "", comment)))
    end -= 1;
  const rest = lines.slice(end);
  while (rest.length > 0 && rest[0]?.trim() === "") rest.shift();
  return { body: lines.slice(0, end), rest };
}

function isComment(line: string, comment: string | undefined): boolean {
  return comment !== undefined && line.startsWith(comment);
}

/** A paragraph, not the first, of trailers only: to such a one git's parser and ours agree. */
function endsInTrailers(text: readonly string[]): boolean {
  const start = text.findLastIndex((line) => line.trim() === "") + 1;
  if (start === 0 || text.slice(0, start).every((line) => line.trim() === "")) return false;
  return text
    .slice(start)
    .every((line, index) => /^[A-Za-z0-9-]+:[ \t]/.test(line) || (index > 0 && /^[ \t]/.test(line)));
}
