import { ownersByPath } from "../../authorship/note/log.ts";
import { openNoteSource, readAuthorshipLogs } from "../../authorship/note/note-source.ts";
import { resolveOwner } from "../../authorship/note/owners.ts";
import type { Git } from "../../git/git.ts";
import type { Oid } from "../../git/ids.ts";
import { openObjectReader } from "../../git/objects/objects.ts";
import type { Files } from "../../system/files/files.ts";
import type { CheckpointId } from "../record/ids.ts";
import { lateCheckpointId } from "../record/late-id.ts";
import { readLinkedCommits } from "./linked-commits.ts";
import { type CheckpointPlaces, type ReadCheckpoint, readCheckpoints } from "./read-checkpoints.ts";
import { openTranscriptReader } from "./read-transcript.ts";
import { findTwins } from "./same-tree.ts";
import { findCheckpointOfWork, type SessionWork } from "./session-work.ts";

/**
 * How a commit leads to conversations: its message names them (`trailer`), the record names the commit because no hook
 * saw it (`record`), its note says whose lines it adds (`owners`), or commits that end in the same tree lead to them
 * (`tree`: a squash by a server, a rewritten message).
 */
export type LinkKind = "trailer" | "record" | "owners" | "tree";

export interface CommitLinks {
  readonly ids: readonly CheckpointId[];
  readonly kind: LinkKind;
}

export interface LinkDeps {
  readonly git: Git;
  readonly files: Files;
  readonly places: ReadonlyMap<CheckpointId, CheckpointPlaces>;
}

/** The conversations behind a commit, by the strongest evidence that there is; undefined: nothing here says. */
export async function findCommitLinks(deps: LinkDeps, commit: Oid): Promise<CommitLinks | undefined> {
  return (await findOwnLinks(deps, commit)) ?? (await findTwinLinks(deps, commit));
}

async function findTwinLinks(deps: LinkDeps, commit: Oid): Promise<CommitLinks | undefined> {
  for (const commits of await findTwins(deps.git, commit)) {
    const ids = new Set<CheckpointId>();
    for (const twin of commits) {
      for (const id of (await findOwnLinks(deps, twin))?.ids ?? []) ids.add(id);
    }
    if (ids.size > 0) return { ids: [...ids], kind: "tree" };
  }
  return undefined;
}

/** The same without looking at other commits: for many in a row. */
export async function findOwnLinks(deps: LinkDeps, commit: Oid): Promise<CommitLinks | undefined> {
  const [named] = await readLinkedCommits(deps.git, { revisions: ["--no-walk", commit] });
  if (named !== undefined) return { ids: named.checkpoints, kind: "trailer" };
  const late = lateCheckpointId(commit);
  if (deps.places.has(late)) return { ids: [late], kind: "record" };
  const ids = new Set<CheckpointId>();
  const work = await readWork(deps, commit);
  for (const id of work.length === 0 ? [] : await findCheckpointsOfWork(deps, work)) ids.add(id);
  return ids.size === 0 ? undefined : { ids: [...ids], kind: "owners" };
}

/** The checkpoints that tell how the work of some sessions came about, in the order of the work. */
export async function findCheckpointsOfWork(
  { git, places }: LinkDeps,
  work: readonly SessionWork[],
): Promise<CheckpointId[]> {
  const checkpoints = await readHolding({ git, places }, new Set(work.map(({ agent }) => agent.id)));
  const transcripts = openTranscriptReader(git);
  try {
    const found: CheckpointId[] = [];
    for (const one of work) {
      const id = await findCheckpointOfWork(transcripts, checkpoints, one);
      if (id !== undefined) found.push(id);
    }
    return [...new Set(found)];
  } finally {
    await transcripts.close();
  }
}

async function readHolding(
  { git, places }: Pick<LinkDeps, "git" | "places">,
  sessionIds: ReadonlySet<string>,
): Promise<ReadCheckpoint[]> {
  return (await readCheckpoints(git, places)).filter(({ sessions }) =>
    sessions.some(({ metadata }) => typeof metadata !== "string" && sessionIds.has(metadata.sessionId ?? "")),
  );
}

/** Whose lines a commit adds, as its note says, by session. */
async function readWork({ git, files }: LinkDeps, commit: Oid): Promise<SessionWork[]> {
  const reader = openObjectReader(git);
  try {
    const log = (await readAuthorshipLogs(openNoteSource(git, reader, files), [commit])).get(commit)?.log;
    if (log === undefined) return [];
    const work = new Map<string, { agent: SessionWork["agent"]; traces: Set<string>; paths: Set<string> }>();
    for (const { path, runs } of ownersByPath(log).values()) {
      for (const { key } of runs) {
        const owner = resolveOwner(log.metadata, key);
        if (owner?.kind !== "agent" || owner.agent.id === "") continue;
        const known = work.get(owner.session) ?? { agent: owner.agent, traces: new Set(), paths: new Set() };
        work.set(owner.session, known);
        known.paths.add(path);
        if (owner.trace !== undefined) known.traces.add(owner.trace);
      }
    }
    return [...work.values()].map(({ agent, traces, paths }) => ({
      agent,
      traces: [...traces],
      paths: [...paths],
    }));
  } finally {
    await reader.close();
  }
}
