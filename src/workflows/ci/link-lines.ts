import { linkLine } from "../../checkpoints/record/note-links.ts";
import type { MergedOutcome } from "./settle-merged.ts";

/** Lines of the message of the notes commit, by which readers find links without looking at every note. */
export function linkLines(outcomes: readonly MergedOutcome[]): string[] {
  const lines = outcomes.flatMap(({ commit, checkpoints }) => checkpoints.map((id) => linkLine(commit, id)));
  return lines.length === 0 ? [] : ["", ...lines];
}
