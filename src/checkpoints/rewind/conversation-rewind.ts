import { dirname, join } from "node:path";
import { findConversationPlace } from "../../agents/conversations/conversation-place.ts";
import { findConversationFile } from "../../agents/conversations/find-conversation.ts";
import { KeyframeError } from "../../base/errors.ts";
import type { Git } from "../../git/git.ts";
import { fault } from "../../system/fault.ts";
import type { Files } from "../../system/files/files.ts";
import { toolNameOf } from "../../transcripts/agent-names.ts";
import { readCapture, redactedPath } from "../capture/record.ts";
import { markAt } from "../capture/transcript.ts";
import type { TurnSnapshot } from "../capture/turn-snapshots.ts";
import { findCheckpointPlaces, readCheckpoints } from "../query/read-checkpoints.ts";
import { openTranscriptReader } from "../query/read-transcript.ts";
import type { CheckpointId } from "../record/ids.ts";
import { openCheckpointStores } from "../stores/open-stores.ts";
import type { RewindPoint } from "./rewind-points.ts";

/** What happens to one conversation: its agent's file gets these bytes. */
export interface ConversationStep {
  readonly tool: string;
  readonly session: string;
  /** Where the agent looks for it. */
  readonly path: string;
  readonly source:
    | { readonly kind: "cut"; readonly from: string; readonly bytes: number; readonly redacted: boolean }
    | { readonly kind: "stored"; readonly checkpoint: CheckpointId; readonly index: number };
  /** True if the file is that already. */
  readonly unchanged: boolean;
}

export interface ConversationPlan {
  readonly steps: readonly ConversationStep[];
  readonly problems: readonly string[];
}

export interface ConversationDeps {
  readonly files: Files;
  readonly env: NodeJS.ProcessEnv;
}

/** How the agent's files become what they were at a point. */
export async function planConversations(
  git: Git,
  deps: ConversationDeps,
  point: RewindPoint,
): Promise<ConversationPlan> {
  if (point.kind === "checkpoint") return planCheckpoint(git, deps, point);
  if (point.kind === "commit") return { steps: [], problems: [] };
  if (point.kind === "turn") return planCut(git, deps, point.snapshot);
  const plans = point.mark.sessions.map((session) => planCut(git, deps, { ...session, turn: 0 }));
  return {
    steps: plans.flatMap(({ steps }) => steps),
    problems: plans.flatMap(({ problems }) => problems),
  };
}

/** A conversation as it was at a position of its transcript. */
export function planCut(
  { repository }: Git,
  { files }: ConversationDeps,
  { tool, session, transcript, turn }: Pick<TurnSnapshot, "tool" | "session" | "transcript" | "turn">,
): ConversationPlan {
  const agent = { tool, id: session };
  const record = readCapture(repository, files, agent);
  if (transcript === undefined || record === undefined) {
    // where a session began there was no conversation yet
    return {
      steps: [],
      problems: turn === 0 ? [] : [`no transcript of session ${session} is known`],
    };
  }
  const path = record.transcriptPath;
  const step = { tool, session, path };
  const size = files.statTargetIfExists(path)?.sizeBytes ?? -1;
  if (size >= transcript.rawBytes && markAt(files, path, transcript.rawBytes) === transcript.mark) {
    const source = { kind: "cut", from: path, bytes: transcript.rawBytes, redacted: false } as const;
    return { steps: [{ ...step, source, unchanged: size === transcript.rawBytes }], problems: [] };
  }
  const copy = redactedPath(repository, record);
  const bytes =
    !record.document && record.facts.lines >= transcript.lines
      ? bytesOfLines(files, copy, transcript.lines)
      : undefined;
  if (bytes === undefined) {
    return {
      steps: [],
      problems: [`the transcript of session ${session} was rewritten since; its files can be restored`],
    };
  }
  const source = { kind: "cut", from: copy, bytes, redacted: true } as const;
  return { steps: [{ ...step, source, unchanged: false }], problems: [] };
}

/** Length of the first lines of a file; undefined if it has fewer. */
function bytesOfLines(files: Files, path: string, lines: number): number | undefined {
  if (files.statIfExists(path)?.kind !== "file") return undefined;
  let left = lines;
  let offsetBytes = 0;
  if (left === 0) return 0;
  for (const chunk of files.readChunks(path)) {
    for (let at = chunk.indexOf(0x0a); at !== -1; at = chunk.indexOf(0x0a, at + 1)) {
      left -= 1;
      if (left === 0) return offsetBytes + at + 1;
    }
    offsetBytes += chunk.length;
  }
  return left === 1 ? offsetBytes : undefined;
}

async function planCheckpoint(
  git: Git,
  { files, env }: ConversationDeps,
  { id }: Extract<RewindPoint, { kind: "checkpoint" }>,
): Promise<ConversationPlan> {
  const places = await findCheckpointPlaces(openCheckpointStores(git), id);
  if (places === undefined) return { steps: [], problems: [`nothing is stored here for checkpoint ${id}`] };
  const [checkpoint] = await readCheckpoints(git, [[id, places]]);
  const steps: ConversationStep[] = [];
  const problems: string[] = [];
  for (const { files: stored, metadata } of checkpoint?.sessions ?? []) {
    if (typeof metadata === "string" || metadata.sessionId === undefined) continue;
    const tool = toolNameOf(metadata.agent ?? "");
    const folder = git.repository.workTree ?? "";
    const facts = {
      sessionId: metadata.sessionId,
      folder: files.realPathIfExists(folder) ?? folder,
      home: env["HOME"] || "/",
      env,
    };
    const path =
      findConversationFile(tool, facts, files) ??
      findConversationPlace(tool, { ...facts, firstLine: "" })?.path;
    if (path === undefined)
      problems.push(`where ${metadata.agent ?? "its agent"} keeps conversations is not known`);
    else if (stored.transcript.length > 0) {
      const source = { kind: "stored", checkpoint: id, index: stored.index } as const;
      steps.push({ tool, session: metadata.sessionId, path, source, unchanged: false });
    }
  }
  return {
    steps: steps.filter((step) => files.statTargetIfExists(dirname(step.path))?.kind !== "file"),
    problems,
  };
}

/** Puts one conversation in place, as one rename: the agent sees the old file or the new one. */
export async function applyConversation(
  git: Git,
  { files }: ConversationDeps,
  step: ConversationStep,
): Promise<void> {
  if (step.unchanged) return;
  files.makeFolder(dirname(step.path));
  const temporary = join(dirname(step.path), `.${step.session}.${process.pid}.tmp`);
  files.remove(temporary);
  let offsetBytes = 0;
  const add = (piece: Buffer) => {
    files.writeAt(temporary, piece, { offsetBytes, mode: 0o600 });
    offsetBytes += piece.length;
  };
  try {
    add(Buffer.alloc(0));
    for await (const piece of conversationContent(git, files, step)) add(piece);
    fault("rewind:before-conversation");
    files.rename(temporary, step.path);
  } catch (error) {
    files.remove(temporary);
    throw error;
  }
}

/** The bytes that a step puts in place. */
export async function* conversationContent(
  git: Git,
  files: Files,
  { source }: ConversationStep,
): AsyncGenerator<Buffer> {
  if (source.kind === "cut") {
    let left = source.bytes;
    if (left === 0) return;
    for (const chunk of files.readChunks(source.from)) {
      yield chunk.subarray(0, left);
      left -= chunk.length;
      if (left <= 0) return;
    }
    return;
  }
  const places = await findCheckpointPlaces(openCheckpointStores(git), source.checkpoint);
  const [checkpoint] = places === undefined ? [] : await readCheckpoints(git, [[places[0].id, places]]);
  const stored = checkpoint?.sessions.find(({ files: session }) => session.index === source.index);
  if (checkpoint === undefined || stored === undefined) {
    throw new KeyframeError("not-found", `checkpoint ${source.checkpoint} is no longer stored here`);
  }
  const reader = openTranscriptReader(git);
  try {
    yield* reader.open(checkpoint.id, stored.files);
  } finally {
    await reader.close();
  }
}
