import type { AgentId } from "../../agents/agent-event.ts";
import { traceOfToolCall } from "../../authorship/note/keys.ts";
import type { CheckpointId } from "../record/ids.ts";
import type { ReadCheckpoint, ReadSession } from "./read-checkpoints.ts";
import type { TranscriptReader } from "./read-transcript.ts";

/** Work of a conversation that a note knows of: which session, by which calls, in which file. */
export interface SessionWork {
  readonly agent: Pick<AgentId, "tool" | "id">;
  /** `t_...` of the calls that wrote the lines, where the note has them. */
  readonly traces: readonly string[];
  readonly paths: readonly string[];
}

/**
 * The checkpoint that tells how some lines came about, whatever their commit's message says: of those that hold the
 * session, the first whose transcript has the call that wrote them, because checkpoints only grow. Where no transcript
 * has it, the newest that touched the file. Undefined: no checkpoint here holds this work of the session.
 */
export async function findCheckpointOfWork(
  transcripts: TranscriptReader,
  checkpoints: readonly ReadCheckpoint[],
  work: SessionWork,
): Promise<CheckpointId | undefined> {
  const holding = checkpoints
    .flatMap(({ id, sessions }) =>
      sessions
        .filter((session) => isOfSession(session, work.agent.id))
        .map((session) => ({ id, session, createdMs: createdMs(session) })),
    )
    .sort((a, b) => a.createdMs - b.createdMs);
  const touching = holding.filter(({ session }) => touches(session, work.paths));
  if (holding.length === 1 && touching.length === 1) return holding[0]?.id;
  for (const { id, session } of work.traces.length === 0 ? [] : holding) {
    if (await holdsCall(transcripts, { id, session }, work)) return id;
  }
  // a subagent's call stands in a transcript of its own
  if (touching.length > 0 || work.traces.length > 0) return touching.at(-1)?.id;
  return holding.at(-1)?.id;
}

function isOfSession({ metadata }: ReadSession, id: string): boolean {
  return typeof metadata !== "string" && metadata.sessionId === id;
}

function touches({ metadata }: ReadSession, paths: readonly string[]): boolean {
  return typeof metadata !== "string" && metadata.filesTouched.some((path) => paths.includes(path));
}

function createdMs({ metadata }: ReadSession): number {
  return typeof metadata === "string" ? 0 : Date.parse(metadata.createdAt ?? "") || 0;
}

// how the agents call the id of a tool call
const callId = /"(?:id|tool_use_id|call_id|callId|callID|toolCallId)"\s*:\s*"([^"\\]{1,200})"/g;

/** True if a transcript names a call of these; false also where it cannot be read here. */
async function holdsCall(
  transcripts: TranscriptReader,
  { id, session }: { readonly id: CheckpointId; readonly session: ReadSession },
  { agent, traces }: SessionWork,
): Promise<boolean> {
  const { transcript, missingChunks } = session.files;
  if (transcript.length === 0 || missingChunks.length > 0) return false;
  if ((await transcripts.missing(transcript)).length > 0) return false;
  const wanted = new Set(traces);
  let rest = "";
  for await (const piece of transcripts.open(id, session.files)) {
    const text = rest + piece.toString("latin1");
    for (const match of text.matchAll(callId)) {
      if (wanted.has(traceOfToolCall(agent, match[1] ?? ""))) return true;
    }
    rest = text.slice(-300);
  }
  return false;
}
