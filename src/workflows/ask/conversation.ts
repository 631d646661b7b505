import { KeyframeError } from "../../base/errors.ts";
import { type Explanation, explainCheckpoint, readConversation } from "../../checkpoints/query/explain.ts";
import { openTranscriptReader } from "../../checkpoints/query/read-transcript.ts";
import { resolveCheckpoints } from "../../checkpoints/query/resolve-checkpoint.ts";
import type { CompactLine } from "../../transcripts/compact/compact-line.ts";
import type { AskContext } from "./ask-context.ts";

/** One step of a conversation, as text. */
export interface ConversationEntry {
  /** 0-based place in the conversation. */
  readonly index: number;
  readonly kind: "user" | "assistant" | "tool";
  readonly at: string | undefined;
  readonly text: string;
  /** Of a tool call. */
  readonly tool?: {
    readonly name: string;
    readonly input: unknown;
    readonly output: string;
    readonly failed: boolean;
  };
}

export interface ConversationPage {
  readonly checkpoint: Explanation;
  /** Which of the checkpoint's sessions, 0-based. */
  readonly session: number;
  readonly entries: readonly ConversationEntry[];
  /** The index to go on from; undefined at the end. */
  readonly next: number | undefined;
  /** Why there are no entries. */
  readonly problem?: string;
}

export interface ConversationRequest {
  /** A checkpoint's id, the beginning of one, or a commit. */
  readonly what: string;
  /** Its place or its id. Undefined, or an id that the checkpoint does not hold: the newest. */
  readonly session?: number | string;
  readonly from: number;
  readonly count: number;
  /** The whole session, not only what led to this checkpoint. */
  readonly full: boolean;
}

/** A checkpoint and a part of one of its conversations. @throws KeyframeError `not-found`, `not-here`, `invalid-input` */
export async function readConversationPage(
  { git, stores, files }: AskContext,
  { what, session: wanted, from, count, full }: ConversationRequest,
): Promise<ConversationPage> {
  const [found] = await resolveCheckpoints({ git, stores, files }, what);
  if (found === undefined) throw new KeyframeError("not-found", `nothing is linked to ${what}`);
  if (found.places === undefined) {
    throw new KeyframeError("not-here", `checkpoint ${found.id} is not on this machine`, {
      hint: "run `keyframe fetch`",
    });
  }
  const { explanation: checkpoint, sessions } = await explainCheckpoint(git, found.id, found.places);
  const named = checkpoint.sessions.findLastIndex(({ sessionId }) => sessionId === wanted);
  const session =
    typeof wanted === "number" ? wanted : named === -1 ? Math.max(0, sessions.length - 1) : named;
  const read = sessions[session];
  const empty = (problem: string): ConversationPage => ({
    checkpoint,
    session,
    entries: [],
    next: undefined,
    problem,
  });
  if (read === undefined) return empty("the checkpoint has no such session");
  if (read.files.transcript.length === 0) return empty("no transcript was recorded");
  const transcripts = openTranscriptReader(git);
  try {
    const [{ store }] = found.places;
    const lines = readConversation(transcripts, found.id, read, {
      scope: full ? "full" : "checkpoint",
      store,
    });
    if (lines === undefined) return empty("the format of this agent's transcript is not known");
    return { checkpoint, session, ...(await takePage(lines, from, count)) };
  } finally {
    await transcripts.close();
  }
}

async function takePage(
  lines: AsyncIterable<CompactLine>,
  from: number,
  count: number,
): Promise<{ readonly entries: ConversationEntry[]; readonly next: number | undefined }> {
  const entries: ConversationEntry[] = [];
  let index = 0;
  for await (const line of lines) {
    for (const entry of entriesOf(line)) {
      if (index >= from + count) return { entries, next: index };
      if (index >= from) entries.push({ ...entry, index });
      index += 1;
    }
  }
  return { entries, next: undefined };
}

function entriesOf(line: CompactLine): Omit<ConversationEntry, "index">[] {
  if (line.type === "user") {
    const text = line.content
      .map((block) => (typeof block["text"] === "string" ? block["text"] : "[image]"))
      .join("\n");
    return [{ kind: "user", at: line.ts, text }];
  }
  return line.content.map((block) => {
    if (block.type === "text") return { kind: "assistant", at: line.ts, text: block.text };
    const { name = "tool", input, result } = block;
    const tool = { name, input, output: result?.output ?? "", failed: result?.status === "error" };
    return { kind: "tool", at: line.ts, text: summarise(input), tool };
  });
}

/** What a tool was asked for, on one line: its path, its command, or its whole input. */
function summarise(input: unknown): string {
  if (typeof input !== "object" || input === null) return "";
  for (const name of ["file_path", "path", "command", "pattern", "url", "description"]) {
    const value: unknown = Reflect.get(input, name);
    if (typeof value === "string") return value;
  }
  return JSON.stringify(input);
}
