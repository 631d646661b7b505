// Covers src/acp/frame-tap.ts and src/acp/proxy.ts: bytes pass unchanged, ends and sizes.
import { PassThrough } from "node:stream";
import { buffer } from "node:stream/consumers";
import { expect, test } from "vitest";
import { FrameTap, maxMessageReadBytes } from "../../src/acp/frame-tap.ts";
import { runProxy } from "../../src/acp/proxy.ts";
import type { AgentEvent } from "../../src/agents/agent-event.ts";
import { nodeProcesses } from "../../src/system/process/processes.ts";

function start(program: string, args: readonly string[]) {
  const [input, output, errors] = [new PassThrough(), new PassThrough(), new PassThrough()];
  const events: AgentEvent[] = [];
  const ended = runProxy({
    tool: "test",
    fallbackTool: "test",
    run: "r",
    readText: () => undefined,
    agent: nodeProcesses.start(program, args),
    editor: { input, output, errors },
    record: (event) => events.push(event),
  });
  return { input, output, errors, ended, events };
}

/** Ends its output when the agent has ended. */
async function outputOf({ output, ended }: ReturnType<typeof start>): Promise<Buffer> {
  const all = buffer(output);
  await ended;
  output.end();
  return all;
}

test("bytes are equal both ways, whatever they are", async () => {
  const proxy = start("cat", []);
  const bytes = Buffer.concat([
    Buffer.from('{"jsonrpc":"2.0","id":1,"method":"session/new","params":{"cwd":"/r"}}\r\n\n'),
    Buffer.from([0, 255, 10, 13, 10, 195]),
    Buffer.from("x".repeat(300_000)),
    Buffer.from("\nno last newline"),
  ]);
  const seen = outputOf(proxy);
  for (let at = 0; at < bytes.length; at += 7919) proxy.input.write(bytes.subarray(at, at + 7919));
  proxy.input.end();
  expect((await seen).equals(bytes)).toBe(true);
});

test("an agent that dies ends the proxy with its exit code, though the editor stays", async () => {
  const proxy = start("sh", ["-c", "echo '{}'; echo trouble >&2; exit 7"]);
  const errors = buffer(proxy.errors);
  expect((await outputOf(proxy)).toString()).toBe("{}\n");
  expect(await proxy.ended).toMatchObject({ code: 7 });
  proxy.errors.end();
  expect((await errors).toString()).toBe("trouble\n");
  expect(proxy.input.destroyed).toBe(true);
});

test("an editor that closes its end lets the agent finish", async () => {
  const proxy = start("sh", ["-c", "cat >/dev/null; echo last"]);
  proxy.input.end('{"half":');
  expect((await outputOf(proxy)).toString()).toBe("last\n");
});

test("an agent that cannot be started is an error", async () => {
  const proxy = start("/nonexistent/agent", []);
  await expect(proxy.ended).rejects.toMatchObject({ code: "program-missing" });
});

test("messages are found in any pieces", () => {
  const bytes = Buffer.from('{"a":"ä"}\n\n  {"b":2}\r\nnot json\n{"c":');
  for (const size of [1, 2, 3, 1000]) {
    const tap = new FrameTap();
    const messages: unknown[] = [];
    for (let at = 0; at < bytes.length; at += size) messages.push(...tap.push(bytes.subarray(at, at + size)));
    expect([messages, tap.skipped]).toEqual([[{ a: "ä" }, { b: 2 }], 1]);
  }
});

test("a message without end is not kept, and the next one is read", () => {
  const tap = new FrameTap();
  const piece = Buffer.alloc(1024 * 1024, 0x78);
  const before = process.memoryUsage().arrayBuffers;
  for (let size = 0; size < 4 * maxMessageReadBytes; size += piece.length)
    expect(tap.push(piece)).toEqual([]);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(3 * maxMessageReadBytes);
  expect([tap.push(Buffer.from('\n{"next":1}\n')), tap.skipped]).toEqual([[{ next: 1 }], 1]);
});
