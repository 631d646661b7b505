import { basename, join } from "node:path";
import { sha256Hex } from "../../base/digest.ts";
import { countLinesOf } from "../../base/text/line-starts.ts";
import type { RepoPath } from "../../git/ids.ts";
import type { Repository } from "../../git/repository.ts";
import { readBaseCommit } from "../../journal/base-commit.ts";
import { withJournal } from "../../journal/log/journal.ts";
import type { PathHead } from "../../journal/path-state.ts";
import {
  type HeadWithContent,
  readPendingHeads,
  restorePendingHeads,
} from "../../journal/pending/pending-heads.ts";
import type { Files } from "../../system/files/files.ts";
import type { ObserveDeps } from "../edits/edit-cause.ts";
import { type PathSnapshot, snapshotContent, snapshotPath, stateOf } from "../edits/path-snapshot.ts";
import { recordEdit } from "../edits/record-edit.ts";
import { type ClaimedFile, claimedRuns, parseGitAiLog } from "./git-ai-log.ts";

export interface TakenLines {
  /** Paths whose pending owners Keyframe knows now. */
  readonly taken: readonly RepoPath[];
  /** Paths of which the log names owners, and no longer holds the content that they are of. */
  readonly left: readonly RepoPath[];
}

/** Larger files of the log are left: it was seen to grow without bounds. */
const maxLogBytes = 64 * 1024 * 1024;

/**
 * Brings the owners of lines that are not committed, as the working log of git-ai has them for the present HEAD, into
 * the journal. A path of which the journal knows owners already keeps those; doing it again changes nothing. What
 * changed since the log's last look is nobody's. The log itself stays as it is.
 */
export function takePendingLines(
  repository: Repository,
  deps: ObserveDeps,
  { dryRun = false }: { readonly dryRun?: boolean } = {},
): TakenLines {
  const { files } = deps;
  const base = readBaseCommit(repository, files, deps.processes);
  const folder = join(logsFolder(repository), base);
  const known = new Set(readPendingHeads(repository, files).map(({ path }) => path));
  const claims = parseGitAiLog({
    checkpoints: readText(files, join(folder, "checkpoints.jsonl")),
    initial: readText(files, join(folder, "INITIAL")),
  }).filter(({ path }) => !known.has(path));
  const heads = claims.map((claim) => headOf(repository, files, { folder, claim }));
  const found = heads.filter((head) => head !== undefined);
  const isFound = new Set(found.map(({ head }) => head.path));
  const left = claims.map(({ path }) => path).filter((path) => !isFound.has(path));
  if (dryRun || found.length === 0) return { taken: [...isFound], left };
  const taken = restorePendingHeads(deps, repository, { base, heads: found });
  withJournal(deps, repository, base, (journal) => {
    for (const path of taken)
      recordEdit(journal, { path, after: presentOf(repository, files, path), cause: { owner: null } });
  });
  return { taken, left };
}

/** A linked worktree's logs lie under the name that git gave it. */
function logsFolder({ gitDir, commonDir }: Repository): string {
  const ai = join(commonDir, "ai");
  return gitDir === commonDir
    ? join(ai, "working_logs")
    : join(ai, "worktrees", basename(gitDir), "working_logs");
}

function headOf(
  repository: Repository,
  files: Files,
  { folder, claim }: { readonly folder: string; readonly claim: ClaimedFile },
): HeadWithContent | undefined {
  const { path, digest, agents, humans } = claim;
  const present = presentOf(repository, files, path);
  const state =
    present.digest === digest
      ? present
      : keptContent(files, join(folder, "blobs", digest), { digest, present });
  const content = state?.content;
  if (state === undefined || content === undefined || state.kind !== "file" || state.unlined !== undefined)
    return undefined;
  const runs = claimedRuns(claim, countLinesOf(content));
  const head: PathHead = {
    path,
    eventId: "",
    current: stateOf(state, runs),
    mark: null,
    earlier: [],
    agents,
    humans,
    // nobody here has seen it
    evidence: {},
    counters: {},
    begun: [],
  };
  return { head, content };
}

/** The content that the log keeps; undefined if it is not what its name says. */
function keptContent(
  files: Files,
  path: string,
  { digest, present }: { readonly digest: string; readonly present: PathSnapshot },
): PathSnapshot | undefined {
  const content = readBytes(files, path);
  if (content === undefined || sha256Hex(content) !== digest) return undefined;
  return snapshotContent(content, present.kind === "file" ? present.mode : undefined);
}

function presentOf({ workTree }: Repository, files: Files, path: RepoPath): PathSnapshot {
  return snapshotPath(files, join(workTree ?? "", path));
}

function readText(files: Files, path: string): string | undefined {
  return readBytes(files, path)?.toString("utf8");
}

function readBytes(files: Files, path: string): Buffer | undefined {
  const stat = files.statIfExists(path);
  return stat?.kind === "file" && stat.sizeBytes <= maxLogBytes ? files.readIfExists(path) : undefined;
}
