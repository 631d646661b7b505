import { ownerJson } from "../../authorship/blame/json.ts";
import { ownersByPath } from "../../authorship/note/log.ts";
import { entriesOfRuns } from "../../authorship/note/log-codec.ts";
import { resolveOwner } from "../../authorship/note/owners.ts";
import { countLines } from "../../authorship/rules/owner-runs.ts";
import type { Json, JsonObject } from "../../base/json.ts";
import type { ShownNote } from "./shown-note.ts";

/** The note with owners resolved; its own JSON is under `metadata`. */
export function showJson({ commit, log, problems, rewritable }: ShownNote): JsonObject {
  const files = [...ownersByPath(log).values()].map(
    ({ path, runs }): JsonObject => ({
      path,
      entries: entriesOfRuns(runs).map(({ key, ranges }): JsonObject => {
        const owner = resolveOwner(log.metadata, key);
        return {
          owner: owner === undefined ? null : ownerJson({ key, owner, metadata: log.metadata }),
          ranges: ranges.map(({ first, last }) => [first, last]),
          lines: countLines(ranges),
        };
      }),
    }),
  );
  return {
    commit,
    files,
    metadata: log.metadata,
    problems: problems.map(({ kind, line, message }): Json => ({ kind, line: line ?? null, message })),
    rewritable,
  };
}
