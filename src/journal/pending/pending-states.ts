import type { RepoPath } from "../../git/ids.ts";
import type { Repository } from "../../git/repository.ts";
import { listWorktrees } from "../../git/worktree/worktrees.ts";
import type { Files } from "../../system/files/files.ts";
import type { KeptState } from "../calls/kept-states.ts";
import { readPathHead, readStateContent, stateContentPath } from "../heads/head-files.ts";
import { isOwned, listEpochs } from "../layout.ts";
import { ownersIn } from "../line-owners.ts";

export interface PendingState extends Omit<KeptState, "path" | "blob"> {
  /** When its content was first written here, milliseconds since 1970. */
  readonly recordedMs: number;
}

/** What is pending for a path in any worktree: contents with owners, the newest first. */
export function readPendingStates(repository: Repository, files: Files, path: RepoPath): PendingState[] {
  return listWorktrees(repository, files).flatMap((worktree) =>
    listEpochs(worktree, files)
      .reverse()
      .flatMap((epoch) => {
        const head = readPathHead(files, epoch, path);
        if (head === undefined) return [];
        const { agents, humans, evidence } = head;
        return [head.current, ...head.earlier].flatMap((state) => {
          if (state.unlined !== undefined || ownersIn(state.runs).size === 0) return [];
          const content = readStateContent(files, epoch, head, state);
          if (content === undefined) return [];
          const recordedMs = files.statIfExists(stateContentPath(epoch, path, state))?.mtimeMs ?? Infinity;
          return [{ content, runs: state.runs, known: { agents, humans, evidence }, recordedMs }];
        });
      }),
  );
}

export function hasPendingStates(repository: Repository, files: Files): boolean {
  return listWorktrees(repository, files).some((worktree) =>
    listEpochs(worktree, files).some((epoch) => isOwned(epoch, files)),
  );
}
