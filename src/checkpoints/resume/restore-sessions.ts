import { dirname } from "node:path";
import {
  type ConversationPlace,
  findConversationPlace,
  resumeCommandOf,
} from "../../agents/conversations/conversation-place.ts";
import { findConversationFile } from "../../agents/conversations/find-conversation.ts";
import { KeyframeError } from "../../base/errors.ts";
import type { Git } from "../../git/git.ts";
import { fault } from "../../system/fault.ts";
import type { Files } from "../../system/files/files.ts";
import type { StreamToFile } from "../../system/files/stream-to-file.ts";
import { toolNameOf } from "../../transcripts/agent-names.ts";
import type { TranscriptReader } from "../query/read-transcript.ts";
import type { GatheredSession } from "./gather-sessions.ts";
import { restoreSubagents } from "./subagents.ts";

/**
 * `new`: the agent does not have it; `same`: to the byte; `checkpoint newer`: what the agent has ends earlier;
 * `local newer`: it ends later. `no transcript`: none was recorded. `no place`: the agent keeps conversations where no
 * file can be put, or is not known.
 */
export type Standing = "new" | "same" | "checkpoint newer" | "local newer" | "no transcript" | "no place";

export interface PlannedRestore {
  readonly session: GatheredSession;
  readonly standing: Standing;
  readonly place: ConversationPlace | undefined;
}

export interface RestoreDeps {
  readonly git: Git;
  readonly files: Files;
  readonly streamToFile: StreamToFile;
  readonly transcripts: TranscriptReader;
  readonly home: string;
  readonly env: NodeJS.ProcessEnv;
  readonly nowSeconds: number;
}

/** Compares each session with what its agent has; writes nothing. */
export async function planRestore(
  deps: RestoreDeps,
  sessions: readonly GatheredSession[],
): Promise<PlannedRestore[]> {
  const planned: PlannedRestore[] = [];
  for (const session of sessions) {
    if (session.files.transcript.length === 0) {
      planned.push({ session, standing: "no transcript", place: placeOf(deps, session, "") });
      continue;
    }
    const stored = await readEnds(deps.transcripts.open(session.checkpoint, session.files));
    const place = placeOf(deps, session, stored.head.slice(0, stored.head.indexOf("\n") >>> 0));
    planned.push({ session, place, standing: standingOf(deps, place, stored) });
  }
  return planned;
}

/** @throws KeyframeError `refused` if the agent's own copy of a session has gone on since; nothing is written then */
export function mustNotLoseWork(planned: readonly PlannedRestore[]): void {
  const newer = planned.filter(({ standing }) => standing === "local newer");
  if (newer.length === 0) return;
  throw new KeyframeError(
    "refused",
    `${newer.length === 1 ? "a session has" : `${newer.length} sessions have`} gone on here since the checkpoint: ${newer.map(({ session }) => session.metadata.sessionId).join(", ")}`,
    { hint: "continue it as it is, or use --force: the local copy is kept beside the restored one" },
  );
}

/**
 * Puts each session where its agent looks for it. A file that is there and differs is kept under another name. Doing it
 * again after a crash ends with the same files.
 */
export async function applyRestore(deps: RestoreDeps, planned: readonly PlannedRestore[]): Promise<void> {
  for (const { session, standing, place } of planned) {
    if (place === undefined || standing === "no transcript") continue;
    await restoreSubagents(deps, session, place.path);
    if (!["new", "checkpoint newer", "local newer"].includes(standing)) continue;
    deps.files.makeFolder(dirname(place.path));
    if (standing !== "new") {
      deps.files.replace(`${place.path}.${deps.nowSeconds}.before-resume`, deps.files.read(place.path), {
        mode: 0o600,
      });
    }
    fault("resume:before-transcript");
    await deps.streamToFile(place.path, deps.transcripts.open(session.checkpoint, session.files), {
      mode: 0o600,
    });
  }
}

function placeOf(
  { git, files, home, env }: RestoreDeps,
  { metadata }: GatheredSession,
  firstLine: string,
): ConversationPlace | undefined {
  const folder = git.repository.workTree ?? git.repository.gitDir;
  const tool = toolNameOf(metadata.agent ?? "");
  const sessionId = metadata.sessionId ?? "";
  const facts = { sessionId, folder: files.realPathIfExists(folder) ?? folder, home, env };
  // an agent that has the conversation already goes on with its own file
  const path = findConversationFile(tool, facts, files);
  const command = resumeCommandOf(tool, sessionId);
  if (path !== undefined && command !== undefined) return { path, command };
  return findConversationPlace(tool, { ...facts, firstLine });
}

interface Ends {
  readonly sizeBytes: number;
  readonly head: string;
  readonly tail: string;
}

const endBytes = 256 * 1024;

async function readEnds(pieces: AsyncIterable<Buffer>): Promise<Ends> {
  let sizeBytes = 0;
  let head = Buffer.alloc(0);
  let tail = Buffer.alloc(0);
  for await (const piece of pieces) {
    sizeBytes += piece.length;
    if (head.length < endBytes) head = Buffer.concat([head, piece.subarray(0, endBytes - head.length)]);
    tail = Buffer.concat([tail, piece.subarray(-endBytes)]).subarray(-endBytes);
  }
  return { sizeBytes, head: head.toString("utf8"), tail: tail.toString("utf8") };
}

function standingOf({ files }: RestoreDeps, place: ConversationPlace | undefined, stored: Ends): Standing {
  if (place === undefined) return "no place";
  const local = files.statIfExists(place.path);
  if (local === undefined) return "new";
  if (local.kind !== "file") {
    throw new KeyframeError("refused", `${place.path} is a ${local.kind}: nothing is written through it`);
  }
  const tail = files.readTail(place.path, endBytes).toString("utf8");
  if (local.sizeBytes === stored.sizeBytes && tail === stored.tail) return "same";
  return lastTimestamp(tail) > lastTimestamp(stored.tail) ? "local newer" : "checkpoint newer";
}

/** Milliseconds; 0 where no record tells its time. */
function lastTimestamp(text: string): number {
  const all = text.match(/"timestamp"\s*:\s*"\d{4}-\d{2}-\d{2}T[0-9:.]{5,20}Z?"/g) ?? [];
  const last = /"(\d{4}[^"]+)"$/.exec(all.at(-1) ?? "")?.[1];
  const at = Date.parse(last ?? "");
  return Number.isNaN(at) ? 0 : at;
}
