import { randomBytes } from "node:crypto";
import type { JsonValue } from "../../src/base/json-document.ts";
import type { CheckpointId } from "../../src/checkpoints/record/ids.ts";
import type { CheckpointWrite, CheckpointWriteOptions } from "../../src/checkpoints/stores/store.ts";

export const writeOptions: CheckpointWriteOptions = {
  message: (writes) => `Checkpoint: ${writes.map(({ id }) => id).join(", ")}\n`,
  nowSeconds: 1_770_000_000,
};

export function idOf(number: number): CheckpointId {
  return number.toString(16).padStart(12, "0") as CheckpointId;
}

export interface SmallSession {
  readonly sessionId: string;
  readonly transcript: readonly string[];
  readonly createdAt?: string;
  readonly fields?: Readonly<Record<string, JsonValue>>;
}

/** A checkpoint as capture would write it, with sessions of Claude Code. */
export function smallCheckpoint(id: CheckpointId, ...sessions: readonly SmallSession[]): CheckpointWrite {
  return {
    id,
    root: new Map<string, JsonValue>([
      ["cli_version", "0.1.0"],
      ["strategy", "manual-commit"],
      ["branch", "main"],
    ]),
    sessions: sessions.map(({ sessionId, transcript, createdAt = "2026-02-01T00:00:00Z", fields = {} }) => ({
      metadata: new Map<string, JsonValue>([
        ["checkpoint_id", id],
        ["session_id", sessionId],
        ["created_at", createdAt],
        ["branch", "main"],
        ["checkpoints_count", 1],
        ["files_touched", [`${sessionId}.ts`]],
        ["agent", "Claude Code"],
        ...Object.entries(fields),
      ]),
      transcript: transcript.map((text) => ({ bytes: Buffer.from(text) })),
      prompt: { bytes: Buffer.from(`prompt of ${sessionId}`) },
    })),
  };
}

/** Lines of a conversation that do not compress, of about so many bytes; the last is from `lastAt`. */
export function conversation(sizeBytes: number, lastAt = "2026-02-01T00:10:00.000Z"): string {
  const lines: string[] = [];
  for (let left = sizeBytes; left > 0; left -= 1000) {
    const text = randomBytes(Math.min(left, 660)).toString("base64");
    lines.push(
      JSON.stringify({
        type: "user",
        timestamp: "2026-02-01T00:00:00.000Z",
        message: { role: "user", content: text },
      }),
    );
  }
  lines.push(
    JSON.stringify({ type: "assistant", timestamp: lastAt, message: { role: "assistant", content: [] } }),
  );
  return lines.map((line) => `${line}\n`).join("");
}
