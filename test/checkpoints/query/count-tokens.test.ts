import { expect, test } from "vitest";
import { countTokens } from "../../../src/checkpoints/query/count-tokens.ts";
import type { ListedCheckpoint } from "../../../src/checkpoints/query/list-checkpoints.ts";
import type { CheckpointId } from "../../../src/checkpoints/record/ids.ts";

interface Row {
  readonly at: string;
  readonly session?: string;
  /** Input, cache written, cache read, output, calls. */
  readonly tokens: readonly [number, number, number, number, number];
  readonly isOwn?: boolean;
}

async function* listed(rows: readonly Row[]): AsyncGenerator<ListedCheckpoint> {
  for (const [number, { at, session = "s", tokens, isOwn = false }] of rows.entries()) {
    const [inputTokens, cacheCreationTokens, cacheReadTokens, outputTokens, apiCalls] = tokens;
    const usage = { inputTokens, cacheCreationTokens, cacheReadTokens, outputTokens, apiCalls };
    yield {
      id: String(number).padStart(12, "0") as CheckpointId,
      stores: ["v1"],
      createdAt: `${at}T00:00:00Z`,
      branch: "main",
      author: undefined,
      agents: ["Claude Code"],
      sessionIds: [session],
      filesTouched: [],
      tokens: usage,
      agentSummary: undefined,
      usages: [{ sessionId: session, tokens: usage, isOwn }],
      prompt: undefined,
      title: undefined,
      unread: [],
    };
  }
}

const outputs = async (rows: readonly Row[]) =>
  Object.fromEntries(
    (await countTokens(listed(rows), "month")).map(({ name, tokens }) => [name, tokens.outputTokens]),
  );

test("tokens of a checkpoint alone are added up", async () => {
  const rows: Row[] = [
    { at: "2026-03-01", tokens: [1, 1, 1, 10, 1], isOwn: true },
    { at: "2026-04-01", tokens: [2, 2, 2, 30, 2], isOwn: true },
  ];
  expect(await outputs(rows)).toEqual({ "2026-03": 10, "2026-04": 30 });
});

test("totals of a session so far count for what each adds, whatever their order, and by session", async () => {
  const rows: Row[] = [
    { at: "2026-04-01", tokens: [2, 2, 2, 30, 2] },
    { at: "2026-03-01", tokens: [1, 1, 1, 10, 1] },
    { at: "2026-04-02", tokens: [5, 5, 5, 35, 3] },
    { at: "2026-04-03", session: "another", tokens: [1, 1, 1, 7, 1] },
  ];
  expect(await outputs(rows)).toEqual({ "2026-03": 10, "2026-04": 25 + 7 });
});

test("what gets smaller in any part is no total", async () => {
  const rows: Row[] = [
    { at: "2026-03-01", tokens: [1, 1, 9, 10, 1] },
    { at: "2026-04-01", tokens: [2, 2, 2, 30, 2] },
  ];
  expect(await outputs(rows)).toEqual({ "2026-03": 10, "2026-04": 30 });
});
