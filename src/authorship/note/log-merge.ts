import { mergeJson } from "../../base/json.ts";
import { overlayRuns } from "../rules/owner-runs.ts";
import { type AuthorshipFile, type AuthorshipLog, ownersByPath } from "./log.ts";
import { entriesOfRuns } from "./log-codec.ts";
import { resolveOwner } from "./owners.ts";

/**
 * A commit's note after we settle it: per line our claim where we observed the line, else what the note said. A line
 * that it gives to a known human stays theirs: what was settled so is never overwritten. Of the metadata everything stays; where both name a field, ours is newer. Merging the same log again changes nothing.
 * Only for notes that are `rewritable`.
 */
export function mergeAuthorshipLogs(existing: AuthorshipLog, ours: AuthorshipLog): AuthorshipLog {
  const base = ownersByPath(existing);
  const top = ownersByPath(ours);
  const files: AuthorshipFile[] = [];
  for (const key of new Set([...base.keys(), ...top.keys()])) {
    const before = base.get(key)?.runs ?? [];
    const humans = before.filter((run) => resolveOwner(existing.metadata, run.key)?.kind === "human");
    const runs = overlayRuns(overlayRuns(before, top.get(key)?.runs ?? []), humans);
    const path = top.get(key)?.path ?? base.get(key)?.path ?? key;
    if (runs.length > 0) files.push({ path, entries: entriesOfRuns(runs) });
  }
  return { files, metadata: mergeJson(existing.metadata, ours.metadata) };
}
