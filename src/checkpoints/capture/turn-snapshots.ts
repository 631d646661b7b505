import { join } from "node:path";
import type { AgentId } from "../../agents/agent-event.ts";
import { sessionKey } from "../../authorship/note/keys.ts";
import { type Git, gitFailed } from "../../git/git.ts";
import { committerIdentity } from "../../git/identity.ts";
import { isOid, type Oid } from "../../git/ids.ts";
import { updateRefs } from "../../git/refs/refs.ts";
import type { Repository } from "../../git/repository.ts";
import {
  openWorkTreeIndex,
  type WorkTreeIndex,
  type WorkTreeState,
} from "../../git/worktree/worktree-index.ts";
import { fault } from "../../system/fault.ts";
import { acquireLock, type LockDeps } from "../../system/locks/lock-file.ts";
import { worktreeIdOf } from "../sessions/events.ts";

/** Private to this machine: no push takes refs from here, unless it mirrors everything. */
export const turnRefPrefix = "refs/keyframe/turns/";
const snapshotLockTimeoutMs = 20_000;

/** What a snapshot's commit says about itself: the JSON behind its subject. */
export interface TurnSnapshotFacts {
  readonly version: 1;
  readonly tool: string;
  readonly session: string;
  /** 0: when the session's first prompt came; else the end of that turn. */
  readonly turn: number;
  readonly turnId: string;
  /** ISO 8601. */
  readonly at: string;
  /** Where HEAD was. */
  readonly base: string;
  readonly worktree: string;
  /** First words of the turn's prompt, redacted. */
  readonly prompt: string;
  /** How far the transcript went, and the digest of its last bytes; absent where there was none. */
  readonly transcript?: { readonly rawBytes: number; readonly mark: string; readonly lines: number };
  /** How many files were too large to take. */
  readonly untaken: number;
  /** The branch HEAD was on; absent where it was detached, and in snapshots of older versions. */
  readonly branch?: string;
  /** Names the owners that were pending (moment-owners.ts); absent where there were none. */
  readonly owners?: string;
}

export interface TurnSnapshot extends TurnSnapshotFacts {
  readonly commit: Oid;
  readonly tree: Oid;
}

/** Runs `work` while no other process uses the worktree's snapshot index. */
export async function withWorkTreeIndex<T>(
  git: Git,
  deps: LockDeps,
  work: (index: WorkTreeIndex) => Promise<T>,
): Promise<T> {
  const release = acquireSnapshotLock(git.repository, deps);
  try {
    return await work(openWorkTreeIndex(git, deps.files));
  } finally {
    release();
  }
}

/** Keeps other processes from a worktree's snapshots and rewinds; returns what releases it. */
export function acquireSnapshotLock({ gitDir }: Repository, deps: LockDeps): () => void {
  const folder = join(gitDir, "keyframe", "snapshot");
  deps.files.makeFolder(folder);
  const options = { timeoutMs: snapshotLockTimeoutMs, onTakeover: () => undefined };
  return acquireLock(deps, join(folder, "lock"), options);
}

/** Remembers the work tree as it is now. Costs the files that changed since the last time. */
export async function takeTurnSnapshot(
  git: Git,
  deps: LockDeps,
  facts: Omit<TurnSnapshotFacts, "version" | "untaken" | "worktree">,
): Promise<TurnSnapshot> {
  return withWorkTreeIndex(git, deps, async (index) => {
    const state = await index.takeTree();
    const ref = turnRefPrefix + sessionKey({ tool: facts.tool, id: facts.session });
    const whole = {
      version: 1 as const,
      ...facts,
      worktree: worktreeIdOf(git.repository),
      untaken: state.untaken.length,
    };
    const commit = await recordSnapshot(git, deps, { ref, state, facts: whole });
    return { ...whole, commit, tree: state.tree };
  });
}

export interface NewSnapshot {
  readonly ref: string;
  readonly state: WorkTreeState;
  /** What the commit says about itself. */
  readonly facts: object;
  /** More parents, behind the ref's own. */
  readonly parents?: readonly Oid[];
}

/** Makes a commit of a tree and puts it before the others of a ref. */
export async function recordSnapshot(
  git: Git,
  deps: Pick<LockDeps, "clock">,
  { ref, state, facts, parents = [] }: NewSnapshot,
): Promise<Oid> {
  const identity = await committerIdentity(git);
  const match = /^(.*?) ?<([^>]*)>$/.exec(identity);
  const date = `${Math.floor(deps.clock.nowMs() / 1000)} +0000`;
  const who = { NAME: match?.[1] || "Keyframe", EMAIL: match?.[2] || "keyframe@localhost", DATE: date };
  const env: NodeJS.ProcessEnv = {};
  for (const [name, value] of Object.entries(who)) {
    env[`GIT_AUTHOR_${name}`] = value;
    env[`GIT_COMMITTER_${name}`] = value;
  }
  for (let round = 0; round < 8; round += 1) {
    const before = (await git.text(["for-each-ref", "--format=%(objectname)", ref])).trim();
    const parent = isOid(before) ? before : undefined;
    const args = [
      "-c",
      "commit.gpgSign=false",
      "-c",
      "core.fsync=committed,loose-object",
      "commit-tree",
      state.tree,
    ];
    for (const each of [...(parent === undefined ? [] : [parent]), ...parents]) args.push("-p", each);
    const result = await git.run([...args, "-F", "-"], {
      env,
      stdin: `snapshot\n\n${JSON.stringify(facts)}\n`,
    });
    const commit = result.stdout.toString("latin1").trim();
    if (!isOid(commit)) throw gitFailed(args, result);
    fault("rewind:after-snapshot-before-ref");
    if (await updateRefs(git, [{ ref, next: commit, expected: parent }], "keyframe: snapshot")) return commit;
  }
  throw gitFailed(["update-ref", ref], { code: 1, signal: undefined, stderr: "the ref kept moving" });
}

/** Every turn that can be gone back to, newest first, from one `git log`. */
export async function listTurnSnapshots(
  git: Git,
  agent?: Pick<AgentId, "tool" | "id">,
): Promise<TurnSnapshot[]> {
  const pattern = agent === undefined ? turnRefPrefix : turnRefPrefix + sessionKey(agent);
  return listTurnRefs(git, pattern);
}

/** The same, of refs elsewhere: what came out of a machine. */
export async function listTurnRefs(git: Git, pattern: string): Promise<TurnSnapshot[]> {
  const turns = await readSnapshots(git, pattern, isTurn);
  return turns.sort((a, b) => (a.at < b.at ? 1 : a.at > b.at ? -1 : b.turn - a.turn));
}

function isTurn(facts: object): facts is TurnSnapshotFacts {
  return "turn" in facts && typeof facts.turn === "number";
}

/** Snapshots below a ref, of one kind, from one `git log`; what was not written by us is left out. */
export async function readSnapshots<T extends { readonly version: 1 }>(
  git: Git,
  pattern: string,
  isKind: (facts: object) => facts is T,
): Promise<(T & { readonly commit: Oid; readonly tree: Oid })[]> {
  const refs = (await git.text(["for-each-ref", "--format=%(refname)", pattern])).split("\n").filter(Boolean);
  if (refs.length === 0) return [];
  const result = await git.run(["log", "--stdin", "--no-show-signature", "--format=%H%x00%T%x00%B%x00%x1e"], {
    stdin: refs.map((ref) => `${ref}\n`).join(""),
  });
  return result.stdout
    .toString("utf8")
    .split("\0\x1e")
    .flatMap((record) => {
      const [commit = "", tree = "", message = ""] = record.trimStart().split("\0");
      const facts = isOid(commit) && isOid(tree) ? parseFacts(message) : undefined;
      return facts !== undefined && isKind(facts) && isOid(commit) && isOid(tree)
        ? [{ ...facts, commit, tree }]
        : [];
    });
}

function parseFacts(message: string): object | undefined {
  try {
    const facts: unknown = JSON.parse(message.slice(message.indexOf("\n\n")).trim());
    const isFacts = typeof facts === "object" && facts !== null && "version" in facts && facts.version === 1;
    return isFacts ? facts : undefined;
  } catch {
    return undefined; // not written by us
  }
}
