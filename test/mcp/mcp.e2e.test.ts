// Covers src/mcp/** and src/workflows/ask/**, src/cli/mcp/**: the official client of the protocol, both generations, over real history.
import { spawnSync } from "node:child_process";
import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startAgentSession } from "../support/agent-session.ts";
import { createTestRepository, keyframeProgram, type TestRepository } from "../support/test-repository.ts";

let repository: TestRepository;
const hidden = "\u202e\u200bsecret order\u0007";
beforeAll(async () => {
  repository = createTestRepository();
  repository.write("parser.ts", "by a person\n");
  repository.commit("start");
  repository.keyframe(["enable"]);
  const session = startAgentSession(repository, "8b9f5a4e-0000-4000-8000-00000000000a", {
    through: "program",
  });
  await session.prompt(`make the parser retry ${hidden}`);
  await session.write("parser.ts", "by a person\nretry();\n");
  session.say("x ".repeat(20_000));
  session.say("it retries now");
  await session.stop();
  repository.commit("Retry in the parser");
  await session.prompt("remove it again");
  await session.write("parser.ts", "by a person\n");
  await session.stop();
  const points = JSON.parse(repository.keyframe(["rewind", "--list", "--json"]).stdout) as {
    id: string;
    turn: number;
  }[];
  repository.keyframe(["rewind", "--to", points.find(({ turn }) => turn === 1)?.id ?? ""]);
});
afterAll(() => repository.remove());

describe.each([
  ["2025-11-25", "legacy" as const],
  ["2026-07-28", { pin: "2026-07-28" } as const],
])("protocol %s", (_version, mode) => {
  let client: Client;
  beforeAll(async () => {
    client = new Client({ name: "test", version: "1" }, { versionNegotiation: { mode } });
    const env = Object.fromEntries(
      Object.entries(repository.env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
    );
    const args = [keyframeProgram, "mcp"];
    await client.connect(
      new StdioClientTransport({ command: process.execPath, args, env, cwd: repository.folder }),
    );
  });
  afterAll(() => client.close());

  async function ask(name: string, args: Record<string, unknown>): Promise<string> {
    const { content, isError } = await client.callTool({ name, arguments: args });
    expect(isError ?? false).toBe(false);
    const [first] = content as { type: string; text: string }[];
    return first?.text ?? "";
  }

  test("four read-only tools, in few tokens", async () => {
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name)).toEqual(["why", "search", "open", "tried"]);
    expect(tools.every(({ annotations }) => annotations?.readOnlyHint === true)).toBe(true);
    expect(JSON.stringify(tools).length / 4).toBeLessThan(1000);
  });

  test("why: owner, commit, prompt and what to open", async () => {
    const text = await ask("why", { path: "parser.ts", revision: "HEAD" });
    expect(text).toContain("parser.ts:line 1: owner unknown");
    expect(text).toContain("parser.ts:line 2: agent claude");
    expect(text).toContain('prompt: "make the parser retry secret order"');
    const id = /open: ([0-9a-f]{12})/.exec(text)?.[1] ?? "";
    expect(await ask("open", { id, budget: 20_000 })).toContain("it retries now");
  });

  test("search finds what was said, and open goes on where a budget cut it", async () => {
    const found = await ask("search", { text: "parser retry" });
    const id = /^([0-9a-f]{12})/.exec(found)?.[1] ?? "";
    const parts: string[] = [];
    let from: number | undefined = 0;
    for (let round = 0; from !== undefined && round < 20; round += 1) {
      const text = await ask("open", { id, from, budget: 300 });
      expect(text.length / 4).toBeLessThanOrEqual(300);
      parts.push(text);
      const next = /again with from=(\d+)\)/.exec(text)?.[1];
      from = next === undefined ? undefined : Number(next);
    }
    expect(parts.join("\n")).toContain("it retries now");
    expect(parts.join("\n").replaceAll("\n", "")).not.toMatch(/[\p{Cf}\p{Cc}]/u);
  });

  test("tried: what a rewind took away", async () => {
    const text = await ask("tried", { path: "parser.ts" });
    expect(text).toContain('"remove it again"');
    expect(text).toContain("undone by a rewind");
    expect(await ask("tried", { topic: "something else" })).toContain("no earlier attempt");
  });

  test.each([100, 500, 1500])("answers keep to a budget of %i tokens", async (budget) => {
    for (const [name, args] of [
      ["why", { path: "parser.ts" }],
      ["search", { text: "parser" }],
      ["tried", {}],
    ] as const)
      expect(Buffer.byteLength(await ask(name, { ...args, budget })) / 4).toBeLessThanOrEqual(budget);
  });

  test("what cannot be answered says why, and the server goes on", async () => {
    const failed = await client.callTool({ name: "why", arguments: { path: "../outside" } });
    expect(failed.isError).toBe(true);
    const missing = await client.callTool({ name: "open", arguments: { id: "no-such-thing" } });
    expect(JSON.stringify(missing.content)).toContain("no moment named");
    await expect(client.callTool({ name: "adopt", arguments: {} })).rejects.toThrow(/no such tool/);
    expect((await client.listTools()).tools).toHaveLength(4);
  });
});

test("hostile lines are answered with errors, one each", () => {
  const lines = [
    "x",
    "[]",
    '{"jsonrpc":"2.0","id":{},"method":"ping"}',
    `{"jsonrpc":"2.0","id":1,"method":"${"y".repeat(2_000_000)}"}`,
    '{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"__proto__"}}',
    '{"jsonrpc":"2.0","id":3,"method":"ping"}',
  ];
  const result = spawnSync(process.execPath, [keyframeProgram, "mcp"], {
    cwd: repository.folder,
    env: repository.env,
    input: `${lines.join("\n")}\n`,
  });
  const answers = result.stdout
    .toString()
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { id: unknown; error?: { code: number }; result?: object });
  expect(answers.map(({ id, error }) => [id, error?.code])).toEqual([
    [null, -32700],
    [null, -32600],
    [null, -32600],
    [null, -32600],
    [2, -32602],
    [3, undefined],
  ]);
});
