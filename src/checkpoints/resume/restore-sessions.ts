import { dirname } from "node:path";
import {
  type ConversationPlace,
  findConversationPlace,
  resumeCommandOf,
} from "../../agents/conversations/conversation-place.ts";
import { findConversationFile } from "../../agents/conversations/find-conversation.ts";
import { asBuffer } from "../../base/bytes.ts";
import { KeyframeError } from "../../base/errors.ts";
import type { Git } from "../../git/git.ts";
import { fault } from "../../system/fault.ts";
import type { Files } from "../../system/files/files.ts";
import type { StreamToFile } from "../../system/files/stream-to-file.ts";
import { toolNameOf } from "../../transcripts/agent-names.ts";
import { relateTranscripts } from "../../transcripts/relate/relate-transcripts.ts";
import type { TranscriptReader } from "../query/read-transcript.ts";
import type { GatheredSession } from "./gathered-session.ts";
import { restoreSubagents } from "./subagents.ts";

/**
 * `new`: the agent does not have it; `same`: line by line, but for secrets that are not stored; `checkpoint newer`: the
 * checkpoint goes on where the agent's copy ends; `local newer`: the agent's copy goes on, or both went apart and it is
 * not the shorter and older one. `no transcript`: none was recorded. `no place`: the agent keeps conversations where no
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
    const firstLine = await firstLineOf(deps.transcripts.open(session.checkpoint, session.files));
    const place = placeOf(deps, session, firstLine);
    planned.push({ session, place, standing: await standingOf(deps, place, session) });
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

async function firstLineOf(pieces: AsyncIterable<Buffer>): Promise<string> {
  let head = Buffer.alloc(0);
  for await (const piece of pieces) {
    head = Buffer.concat([head, piece]);
    const end = head.indexOf(0x0a);
    if (end !== -1) return head.toString("utf8", 0, end);
    if (head.length > maxFirstLineBytes) break;
  }
  return head.toString("utf8");
}

const maxFirstLineBytes = 256 * 1024;

/** By content: which of both begins with all of the other. Dates count only between two that went apart. */
async function standingOf(
  { files, transcripts }: RestoreDeps,
  place: ConversationPlace | undefined,
  session: GatheredSession,
): Promise<Standing> {
  if (place === undefined) return "no place";
  const local = files.statIfExists(place.path);
  if (local === undefined) return "new";
  if (local.kind !== "file") {
    throw new KeyframeError("refused", `${place.path} is a ${local.kind}: nothing is written through it`);
  }
  const ends = { local: createTail(), stored: createTail() };
  const { relation, ours, theirs } = await relateTranscripts(
    ends.local.watch(piecesOf(files, place.path)),
    ends.stored.watch(transcripts.open(session.checkpoint, session.files)),
  );
  if (relation === "same") return "same";
  if (relation === "shorter") return "checkpoint newer";
  const isLater = lastTimestamp(ends.local.text()) > lastTimestamp(ends.stored.text());
  return relation === "longer" || ours >= theirs || isLater ? "local newer" : "checkpoint newer";
}

async function* piecesOf(files: Files, path: string): AsyncGenerator<Buffer> {
  for (const piece of files.readChunks(path)) yield asBuffer(piece);
}

const tailBytes = 256 * 1024;

/** Keeps the end of what passes through. */
function createTail() {
  let tail: Buffer = Buffer.alloc(0);
  return {
    async *watch(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
      for await (const piece of pieces) {
        tail = Buffer.concat([tail, piece.subarray(-tailBytes)]).subarray(-tailBytes);
        yield piece;
      }
    },
    text: () => tail.toString("utf8"),
  };
}

/** Milliseconds; 0 where no record tells its time. */
function lastTimestamp(text: string): number {
  const all = text.match(/"timestamp"\s*:\s*"\d{4}-\d{2}-\d{2}T[0-9:.]{5,20}Z?"/g) ?? [];
  const last = /"(\d{4}[^"]+)"$/.exec(all.at(-1) ?? "")?.[1];
  const at = Date.parse(last ?? "");
  return Number.isNaN(at) ? 0 : at;
}
