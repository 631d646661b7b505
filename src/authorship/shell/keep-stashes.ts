import type { Oid, RepoPath } from "../../git/ids.ts";
import { isOid } from "../../git/ids.ts";
import { blobOidLike } from "../../git/objects/object-presence.ts";
import { runGitSync } from "../../git/remote/sync.ts";
import type { Repository } from "../../git/repository.ts";
import { readStashes } from "../../git/worktree/git-state.ts";
import { listWorktrees } from "../../git/worktree/worktrees.ts";
import { readSeenStashes, writeKeptState, writeSeenStashes } from "../../journal/calls/kept-states.ts";
import { readPathHead, readStateContent } from "../../journal/heads/head-files.ts";
import { listEpochs } from "../../journal/layout.ts";
import { ownersIn } from "../../journal/line-owners.ts";
import type { ObserveDeps } from "../edits/edit-cause.ts";

/** New stashes that are looked at in one go. */
const maxNewStashes = 20;

/**
 * Keeps the owners of what was stashed since the last look: a stash outlives what is pending, and can be popped in
 * another worktree. Costs one small file where nothing was stashed. To be called before anything else is recorded or
 * settled, while the journals still know the states.
 */
export function keepStashes(repository: Repository, deps: ObserveDeps): void {
  const { files } = deps;
  const stashes = readStashes(repository, files);
  const seen = readSeenStashes(repository, files);
  const fresh = stashes.filter((oid) => !seen.has(oid));
  if (fresh.length === 0 && stashes.length === seen.size) return;
  for (const stash of fresh.slice(-maxNewStashes)) {
    for (const { path, blob } of listStashed(repository, deps, stash))
      keepState(repository, deps, { path, blob });
  }
  writeSeenStashes(repository, files, stashes);
}

/** Paths whose states are kept when a call commits. */
const maxKeptPaths = 300;

/**
 * Keeps what the journal knows of paths as they stand, lines of nobody included: a call that takes a path away and
 * brings it back in commits of its own leaves no other trace of who wrote it before.
 */
export function keepPathStates(
  repository: Repository,
  { files }: ObserveDeps,
  { paths, like }: { readonly paths: readonly RepoPath[]; readonly like: Oid },
): void {
  const epochs = listEpochs(repository, files).reverse();
  for (const path of paths.slice(0, maxKeptPaths)) {
    for (const epoch of epochs) {
      const head = readPathHead(files, epoch, path);
      if (head === undefined) continue;
      const { current, agents, humans, evidence } = head;
      const content =
        current.unlined === undefined ? readStateContent(files, epoch, head, current) : undefined;
      if (content !== undefined) {
        const known = { agents, humans, evidence };
        writeKeptState(repository, files, {
          path,
          blob: blobOidLike(content, like),
          content,
          runs: current.runs,
          known,
        });
      }
      break;
    }
  }
}

interface StashedFile {
  readonly path: RepoPath;
  readonly blob: Oid;
}

/** What a stash changed against its commit, what was staged, and the files that git did not know. */
function listStashed(repository: Repository, { processes }: ObserveDeps, stash: Oid): StashedFile[] {
  const run = (...args: string[]) => runGitSync(repository, processes, args).stdout.toString("utf8");
  const changed = [stash, `${stash}^2`].flatMap((commit) =>
    parseRaw(run("diff-tree", "-r", "-z", "--no-renames", "--no-commit-id", `${stash}^1`, commit)),
  );
  const untracked = run("ls-tree", "-r", "-z", `${stash}^3`).split("\0");
  return [
    ...changed,
    ...untracked.flatMap((entry) => {
      const [about = "", path = ""] = entry.split("\t");
      const blob = about.split(" ")[2] ?? "";
      return isOid(blob) ? [{ path: path as RepoPath, blob }] : [];
    }),
  ];
}

/** `:<mode> <mode> <id> <id> <status> NUL <path> NUL`. */
function parseRaw(text: string): StashedFile[] {
  const fields = text.split("\0");
  const found: StashedFile[] = [];
  for (let at = 0; at + 1 < fields.length; at += 2) {
    const blob = fields[at]?.split(" ")[3] ?? "";
    if (isOid(blob) && !/^0+$/.test(blob)) found.push({ path: fields[at + 1] as RepoPath, blob });
  }
  return found;
}

function keepState(repository: Repository, { files }: ObserveDeps, { path, blob }: StashedFile): void {
  for (const worktree of listWorktrees(repository, files)) {
    for (const epoch of listEpochs(worktree, files).reverse()) {
      const head = readPathHead(files, epoch, path);
      if (head === undefined) continue;
      for (const state of [head.current, ...head.earlier]) {
        if (state.unlined !== undefined || ownersIn(state.runs).size === 0) continue;
        const content = readStateContent(files, epoch, head, state);
        if (content === undefined || blobOidLike(content, blob) !== blob) continue;
        const { agents, humans, evidence } = head;
        writeKeptState(repository, files, {
          path,
          blob,
          content,
          runs: state.runs,
          known: { agents, humans, evidence },
        });
        return;
      }
    }
  }
}
