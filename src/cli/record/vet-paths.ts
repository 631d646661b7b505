import type { ObserveDeps } from "../../authorship/edits/edit-cause.ts";
import { type LocatedPath, locatePath } from "../../authorship/edits/locate-path.ts";
import type { ErrorCode } from "../../base/error-codes.ts";
import { listIgnoredSync, readCommittedSync } from "../../git/remote/sync.ts";
import { readBaseCommit } from "../../journal/base-commit.ts";
import { readPathHead } from "../../journal/heads/head-files.ts";
import { listEpochs } from "../../journal/layout.ts";

/** A path that somebody named and that has nothing to record. */
export interface RejectedPath {
  readonly code: Extract<ErrorCode, "not-found" | "refused" | "invalid-input">;
  /** One sentence with the path. */
  readonly why: string;
}

export interface VettedPaths {
  readonly usable: readonly string[];
  /** In the order in which they were named. */
  readonly rejected: readonly RejectedPath[];
}

/**
 * Tells the paths that can be recorded from those that cannot: a hook is silent about them, whoever names a file by
 * hand wants to know. A removed file can be recorded if its commit or the journal knows it.
 */
export function vetPaths(paths: readonly string[], cwd: string, deps: ObserveDeps): VettedPaths {
  const usable: string[] = [];
  const rejected: RejectedPath[] = [];
  for (const text of new Set(paths)) {
    const located = locatePath(text, cwd, deps);
    const rejection = located.kind === "inside" ? rejectInside(located, deps) : rejectPlace(text, located);
    if (rejection === undefined) usable.push(text);
    else rejected.push(rejection);
  }
  return { usable, rejected };
}

type Inside = Extract<LocatedPath, { readonly kind: "inside" }>;

function rejectPlace(text: string, located: Exclude<LocatedPath, Inside>): RejectedPath {
  if (located.kind === "refused") return { code: "refused", why: located.why };
  return { code: "refused", why: `${JSON.stringify(text)} is in no git repository` };
}

function rejectInside({ repository, path, absolute }: Inside, deps: ObserveDeps): RejectedPath | undefined {
  const { files, processes } = deps;
  const shown = JSON.stringify(path);
  const stat = files.statIfExists(absolute);
  if (stat?.kind === "folder") return { code: "invalid-input", why: `${shown} is a directory` };
  if (stat === undefined) {
    const isPending = listEpochs(repository, files).some((epoch) => readPathHead(files, epoch, path));
    if (isPending) return undefined;
    const commit = readBaseCommit(repository, files, processes);
    const isCommitted =
      readCommittedSync(repository, processes, { commit, paths: [path] }).get(path) !== null;
    return isCommitted ? undefined : { code: "not-found", why: `${shown} does not exist` };
  }
  const isIgnored = listIgnoredSync(repository, processes, [path]).length > 0;
  return isIgnored ? { code: "refused", why: `${shown} is ignored by git` } : undefined;
}
