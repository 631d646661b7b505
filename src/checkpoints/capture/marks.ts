import type { Git } from "../../git/git.ts";
import type { Oid } from "../../git/ids.ts";
import { type Repository, readHeadFromFiles } from "../../git/repository.ts";
import { readBaseCommit } from "../../journal/base-commit.ts";
import type { LockDeps } from "../../system/locks/lock-file.ts";
import type { Processes } from "../../system/process/processes.ts";
import { toolNameOf } from "../../transcripts/agent-names.ts";
import { isSessionId, listSessionStates } from "../sessions/directory.ts";
import { timestamp, worktreeIdOf } from "../sessions/events.ts";
import { phaseOf, textOfState } from "../sessions/state.ts";
import { keepMomentOwners } from "./moment-owners.ts";
import { readCapture } from "./record.ts";
import { readCaptureSettings } from "./settings.ts";
import { markAt } from "./transcript.ts";
import {
  readSnapshots,
  recordSnapshot,
  type TurnSnapshotFacts,
  withWorkTreeIndex,
} from "./turn-snapshots.ts";

/** Private to this machine, like the snapshots of turns. */
export const markRefPrefix = "refs/keyframe/marks/";

/** A session that was open when a mark was set, and how far its transcript went. */
export interface MarkedSession extends Pick<TurnSnapshotFacts, "tool" | "session" | "transcript"> {}

/** What a mark's commit says about itself: the JSON behind its subject. */
export interface MarkFacts {
  readonly version: 1;
  readonly kind: "mark";
  readonly title: string;
  /** ISO 8601. */
  readonly at: string;
  /** Where HEAD was. */
  readonly base: string;
  readonly branch?: string;
  readonly worktree: string;
  readonly untaken: number;
  readonly owners?: string;
  readonly sessions: readonly MarkedSession[];
}

export interface MarkSnapshot extends MarkFacts {
  readonly commit: Oid;
  readonly tree: Oid;
}

export interface MarkDeps extends LockDeps {
  readonly processes: Processes;
}

/** Remembers the files, the pending owners and the open conversations of a worktree as they are now. */
export async function takeMark(git: Git, deps: MarkDeps, title: string): Promise<MarkSnapshot> {
  const { repository } = git;
  const { redactor } = readCaptureSettings(repository, deps);
  return withWorkTreeIndex(git, deps, async (index) => {
    const state = await index.takeTree();
    const owners = keepMomentOwners(repository, deps.files);
    const branch = readHeadFromFiles(repository, deps.files)?.ref;
    const facts: MarkFacts = {
      version: 1,
      kind: "mark",
      title: redactor.redactText(title),
      at: timestamp(deps.clock.nowMs()),
      base: readBaseCommit(repository, deps.files, deps.processes),
      ...(branch === undefined ? {} : { branch: redactor.redactText(branch) }),
      worktree: worktreeIdOf(repository),
      untaken: state.untaken.length,
      ...(owners === "" ? {} : { owners }),
      sessions: openSessions(repository, deps),
    };
    const commit = await recordSnapshot(git, deps, { ref: markRef(repository), state, facts });
    return { ...facts, commit, tree: state.tree };
  });
}

/** All marks, newest first. */
export async function listMarks(git: Git): Promise<MarkSnapshot[]> {
  return (await readSnapshots(git, markRefPrefix, isMark)).sort((a, b) => (a.at < b.at ? 1 : -1));
}

function isMark(facts: object): facts is MarkFacts {
  return "kind" in facts && facts.kind === "mark";
}

export function markRef({ gitDir, commonDir }: Repository): string {
  return markRefPrefix + (gitDir === commonDir ? "main" : `worktree-${gitDir.split("/").at(-1)}`);
}

/** The sessions of this worktree that have not ended, at the last whole line of their transcripts. */
function openSessions(repository: Repository, deps: LockDeps): MarkedSession[] {
  const here = worktreeIdOf(repository);
  const open: MarkedSession[] = [];
  for (const { id, state } of listSessionStates(deps, repository)) {
    if (state === undefined || !isSessionId(id) || phaseOf(state) === "ended") continue;
    if ((textOfState(state, "worktree_id") ?? "") !== here) continue;
    const tool = toolNameOf(textOfState(state, "agent_type") ?? "");
    const record = readCapture(repository, deps.files, { tool, id });
    const size = record && deps.files.statTargetIfExists(record.transcriptPath)?.sizeBytes;
    if (record === undefined || size === undefined || size < record.rawBytes) {
      open.push({ tool, session: id });
      continue;
    }
    // what the transcript got since the last turn ended is the turn under way: a mark holds the last whole turn
    const mark = markAt(deps.files, record.transcriptPath, record.rawBytes);
    const transcript = { rawBytes: record.rawBytes, mark, lines: record.facts.lines };
    open.push({ tool, session: id, transcript });
  }
  return open;
}
