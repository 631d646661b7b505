import { join } from "node:path";
import type { AgentId } from "../../agents/agent-event.ts";
import { sessionKey } from "../../authorship/note/keys.ts";
import type { Git } from "../../git/git.ts";
import { isOid, type Oid } from "../../git/ids.ts";
import type { Repository } from "../../git/repository.ts";
import { listWorktrees } from "../../git/worktree/worktrees.ts";
import { parseRecordLine } from "../../journal/record-line.ts";
import type { Files } from "../../system/files/files.ts";
import { toolNameOf } from "../../transcripts/agent-names.ts";
import { turnRefPrefix } from "../capture/turn-snapshots.ts";
import { readAttached } from "../commit/attached-sessions.ts";
import { listPrepared } from "../commit/commit-directory.ts";
import { lastHeardMs, listMarked, listSessionStates, sessionStatePath } from "../sessions/directory.ts";
import { pendingWork } from "../sessions/pending-work.ts";
import { listOfState, phaseOf, type SessionState, textOfState } from "../sessions/state.ts";

/** Everything that is kept of one session besides its checkpoints. */
export interface SessionLeftovers {
  readonly id: string;
  /** When something was heard of it for the last time, milliseconds since 1970. */
  readonly lastMs: number;
  /** Why all of it stays, however old it is; undefined where nothing needs it any more. */
  readonly neededFor: string | undefined;
  readonly statePath: string | undefined;
  readonly captures: readonly { readonly path: string; readonly seenMs: number | undefined }[];
  readonly turns: readonly { readonly ref: string; readonly oid: Oid }[];
}

interface Draft extends SessionLeftovers {
  lastMs: number;
  neededFor: string | undefined;
  statePath: string | undefined;
  readonly captures: { readonly path: string; readonly seenMs: number | undefined }[];
  readonly turns: { readonly ref: string; readonly oid: Oid }[];
}

/** Reads states, captures, rewind points and what still waits in any worktree; joined by the session's id. */
export async function readSessionLeftovers(git: Git, files: Files): Promise<SessionLeftovers[]> {
  const { repository } = git;
  const found = new Map<string, Draft>();
  const agents: Pick<AgentId, "tool" | "id">[] = [];
  const draftOf = (id: string, atMs: number): Draft => {
    const known = found.get(id);
    const draft: Draft = known ?? {
      id,
      lastMs: 0,
      neededFor: undefined,
      statePath: undefined,
      captures: [],
      turns: [],
    };
    if (known === undefined) found.set(id, draft);
    draft.lastMs = Math.max(draft.lastMs, atMs);
    return draft;
  };
  for (const { id, state, problem } of listSessionStates({ files }, repository)) {
    const path = sessionStatePath(repository, id);
    const draft = draftOf(
      id,
      state === undefined ? mtimeOf(files, path) : lastHeardMs({ files }, repository, { id, state }),
    );
    draft.statePath = path;
    if (state !== undefined) agents.push({ tool: toolNameOf(textOfState(state, "agent_type") ?? ""), id });
    draft.neededFor = state === undefined ? `its state cannot be read: ${problem}` : stateNeeds(state);
  }
  for (const { name, kind } of files.listIfExists(captureRoot(repository)) ?? []) {
    if (kind !== "folder") continue;
    const path = join(captureRoot(repository), name);
    const recordPath = join(path, "record.json");
    const seenMs = files.statIfExists(recordPath)?.mtimeMs;
    const agent = agentOfRecord(files.readIfExists(recordPath));
    if (agent !== undefined) agents.push(agent);
    draftOf(agent?.id ?? name, seenMs ?? mtimeOf(files, path)).captures.push({ path, seenMs });
  }
  for (const { ref, oid, atMs, id } of await listTurnRefs(git)) draftOf(id, atMs).turns.push({ ref, oid });
  for (const [id, why] of neededSessions(repository, files, agents)) {
    const draft = found.get(id);
    if (draft !== undefined) draft.neededFor = why;
  }
  return [...found.values()];
}

/** Undefined where neither a turn is under way nor a commit may still want something of it. */
export function stateNeeds(state: SessionState): string | undefined {
  if (phaseOf(state) === "active") return "it is at work, or was killed: see `keyframe doctor`";
  if (listOfState(state, "turn_checkpoint_ids").length > 0) return "its checkpoints wait for its last words";
  return listOfState(state, "files_touched").length > 0 ? waits : undefined;
}

const waits = "work of it waits for a commit";

/** Sessions with a mark, a prepared checkpoint, an adopted path or uncommitted lines in some worktree. */
function* neededSessions(
  repository: Repository,
  files: Files,
  agents: readonly Pick<AgentId, "tool" | "id">[],
): Generator<[string, string]> {
  for (const place of listWorktrees(repository, files)) {
    for (const id of listMarked({ files }, place, "at-work"))
      yield [id, "it is at work, or was killed: see `keyframe doctor`"];
    for (const id of listMarked({ files }, place, "unfinished"))
      yield [id, "its checkpoints wait for its last words"];
    for (const { sessions } of listPrepared(place, files))
      for (const { agent } of sessions) yield [agent.id, "a commit is being made of it"];
    for (const { agent } of readAttached(place, files)) yield [agent.id, waits];
    // a turn that was killed never told the state what it left
    const pending = pendingWork(place, files, agents);
    for (const agent of agents)
      if ((pending.get(sessionKey(agent)) ?? []).length > 0) yield [agent.id, waits];
  }
}

function mtimeOf(files: Files, path: string): number {
  return files.statIfExists(path)?.mtimeMs ?? 0;
}

export function captureRoot({ commonDir }: Repository): string {
  return join(commonDir, "keyframe", "capture");
}

function agentOfRecord(bytes: Buffer | undefined): Pick<AgentId, "tool" | "id"> | undefined {
  const agent = bytes === undefined ? undefined : parseRecordLine(bytes)?.["agent"];
  if (typeof agent !== "object" || agent === null || !("id" in agent) || !("tool" in agent)) return undefined;
  const { tool, id } = agent;
  return typeof tool === "string" && typeof id === "string" ? { tool, id } : undefined;
}

async function listTurnRefs(
  git: Git,
): Promise<{ readonly ref: string; readonly oid: Oid; readonly atMs: number; readonly id: string }[]> {
  const format = "%(objectname) %(refname) %(committerdate:unix) %(contents:body)%00";
  const text = await git.text(["for-each-ref", `--format=${format}`, turnRefPrefix]);
  return text.split("\0").flatMap((record) => {
    const match = /^(\S+) (\S+) (\d+) ([\s\S]*)$/.exec(record.trimStart());
    const [, oid = "", ref = "", seconds = "", body = ""] = match ?? [];
    if (!isOid(oid)) return [];
    return [{ ref, oid, atMs: Number(seconds) * 1000, id: sessionOfBody(body) ?? ref }];
  });
}

function sessionOfBody(body: string): string | undefined {
  try {
    const facts: unknown = JSON.parse(body);
    if (typeof facts !== "object" || facts === null || !("session" in facts)) return undefined;
    return typeof facts.session === "string" ? facts.session : undefined;
  } catch {
    return undefined; // not written by us: the ref stands for itself
  }
}
