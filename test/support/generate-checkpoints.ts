import { sha256Hex } from "../../src/base/digest.ts";
import type { JsonMap, JsonValue } from "../../src/base/json-document.ts";
import type { CheckpointId } from "../../src/checkpoints/record/ids.ts";
import type { CheckpointWrite, SessionWrite } from "../../src/checkpoints/stores/store.ts";
import { createFakeRandom } from "../../src/system/random.ts";

/** Id number `n`: the same every time, spread over the shards as random ids are. */
export function generatedId(n: number): CheckpointId {
  return sha256Hex(`checkpoint ${n}`).slice(0, 12) as CheckpointId;
}

/** Lines of a Claude Code conversation: a prompt, a tool call with its result, an answer; about 2 KB a turn. */
export function generateTranscript(seed: number, turns: number): Buffer {
  const random = createFakeRandom(seed + 1);
  const lines: string[] = [];
  for (let turn = 0; turn < turns; turn += 1) {
    const at = (second: number) => new Date(Date.UTC(2026, 0, 1, 0, turn, second)).toISOString();
    const message = `msg_${seed}_${turn}`;
    const tool = `toolu_${seed}_${turn}`;
    lines.push(
      JSON.stringify({
        type: "user",
        promptId: `p${turn}`,
        timestamp: at(0),
        message: { role: "user", content: `prompt ${turn} of session ${seed}: change <b>file ${turn}</b>` },
      }),
      JSON.stringify({
        type: "assistant",
        timestamp: at(1),
        message: {
          id: message,
          role: "assistant",
          content: [{ type: "thinking", thinking: random.bytes(150).toString("base64") }],
          usage: { input_tokens: 5, output_tokens: 7 },
        },
      }),
      JSON.stringify({
        type: "assistant",
        timestamp: at(2),
        message: {
          id: message,
          role: "assistant",
          content: [
            { type: "text", text: `I will change file ${turn}` },
            { type: "tool_use", id: tool, name: "Edit", input: { file_path: `src/file-${turn}.ts` } },
          ],
          usage: { input_tokens: 5, output_tokens: 20 + turn },
        },
      }),
      JSON.stringify({
        type: "user",
        timestamp: at(3),
        message: { role: "user", content: [{ type: "tool_result", tool_use_id: tool, content: "ok" }] },
        toolUseResult: {
          filePath: `src/file-${turn}.ts`,
          originalFile: random.bytes(600).toString("base64"),
        },
      }),
    );
  }
  return Buffer.from(lines.map((line) => `${line}\n`).join(""));
}

export interface GeneratedSession {
  readonly sessionId: string;
  readonly createdAt: string;
  readonly transcript: Buffer | readonly Buffer[];
  readonly fields?: Readonly<Record<string, JsonValue>>;
}

/** A session as capture would hand it over. */
export function sessionWrite(
  id: CheckpointId,
  { sessionId, createdAt, transcript, fields }: GeneratedSession,
): SessionWrite {
  const chunks = Array.isArray(transcript) ? (transcript as Buffer[]) : [transcript as Buffer];
  const metadata: JsonMap = new Map<string, JsonValue>([
    ["cli_version", "0.6.2"],
    ["checkpoint_id", id],
    ["session_id", sessionId],
    ["strategy", "manual-commit"],
    ["created_at", createdAt],
    ["branch", "main"],
    ["checkpoints_count", 1],
    ["files_touched", [`src/${sessionId}.ts`]],
    ["agent", "Claude Code"],
    ["model", "claude-x"],
    ["token_usage", tokens(100)],
    ...Object.entries(fields ?? {}),
  ]);
  const whole = Buffer.concat(
    chunks.flatMap((chunk, index) => (index === 0 ? [chunk] : [Buffer.from("\n"), chunk])),
  );
  return {
    metadata,
    transcript: chunks.map((bytes) => ({ bytes })),
    contentHash: { bytes: Buffer.from(`sha256:${sha256Hex(whole)}`) },
    prompt: { bytes: Buffer.from(`first prompt of ${sessionId}\n\n---\n\nsecond prompt`) },
  };
}

export function tokens(input: number): JsonMap {
  return new Map([
    ["input_tokens", input],
    ["cache_creation_tokens", 0],
    ["cache_read_tokens", 0],
    ["output_tokens", 10],
    ["api_call_count", 1],
  ]);
}

export function checkpointWrite(id: CheckpointId, sessions: readonly GeneratedSession[]): CheckpointWrite {
  return {
    id,
    root: new Map([
      ["cli_version", "0.6.2"],
      ["strategy", "manual-commit"],
      ["branch", "main"],
    ]),
    sessions: sessions.map((session) => sessionWrite(id, session)),
  };
}

export const generatedStartMs = Date.UTC(2026, 0, 1);

/** Checkpoint number `n`, one minute after the one before, with one small session of its own. */
export function generatedCheckpoint(n: number, turns = 2): CheckpointWrite {
  const createdAt = new Date(generatedStartMs + n * 60_000).toISOString();
  return checkpointWrite(generatedId(n), [
    { sessionId: `session-${n}`, createdAt, transcript: generateTranscript(n, turns) },
  ]);
}
