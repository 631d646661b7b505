import type { Readable, Writable } from "node:stream";
import type { AgentEvent } from "../agents/agent-event.ts";
import type { RunningProcess } from "../system/process/processes.ts";
import { FrameTap } from "./frame-tap.ts";
import { ProtocolReader, type ReaderOptions } from "./protocol-reader.ts";

export interface ProxyOptions extends ReaderOptions {
  readonly agent: RunningProcess;
  readonly editor: { readonly input: Readable; readonly output: Writable; readonly errors: Writable };
  readonly record: (event: AgentEvent) => void;
}

/**
 * Passes bytes between an editor and an agent, unchanged and in both directions, and reads along. A message is read before
 * it is passed on, so that a file can be looked at before the editor writes it. Returns when the agent has ended.
 */
export async function runProxy(
  options: ProxyOptions,
): Promise<{ readonly code: number; readonly signal: string | undefined }> {
  const { agent, editor, record } = options;
  const reader = new ProtocolReader(options);
  const readAlong = (read: (message: unknown) => AgentEvent[]) => {
    const tap = new FrameTap();
    return (chunk: Uint8Array) => {
      for (const message of tap.push(chunk)) for (const event of read(message)) record(event);
    };
  };
  agent.stderr.pipe(editor.errors, { end: false });
  const toAgent = pump(
    editor.input,
    agent.stdin,
    readAlong((message) => reader.fromEditor(message)),
  );
  toAgent.then(
    () => agent.stdin.end(),
    () => agent.kill(), // the editor is gone in the middle of a message
  );
  const toEditor = pump(
    agent.stdout,
    editor.output,
    readAlong((message) => reader.fromAgent(message)),
  );
  // an editor that is gone reads nothing more: the agent is told by a closed pipe, as without us
  toEditor.catch(() => agent.stdout.destroy());
  const exit = await agent.exited;
  await toEditor.catch(() => undefined);
  editor.input.destroy();
  for (const event of reader.end()) record(event);
  return exit;
}

/** Copies until the source ends, no faster than the sink takes it. @throws if the sink is closed */
async function pump(source: Readable, sink: Writable, see: (chunk: Uint8Array) => void): Promise<void> {
  let failure: Error | undefined;
  let wake: () => void = () => undefined;
  const onError = (error: Error) => {
    failure = error;
    wake();
  };
  sink.on("error", onError);
  sink.on("drain", () => wake());
  for await (const chunk of source as AsyncIterable<Uint8Array>) {
    see(chunk);
    if (failure !== undefined) throw failure;
    if (sink.write(chunk)) continue;
    await new Promise<void>((resolve) => {
      wake = resolve;
    });
    if (failure !== undefined) throw failure;
  }
}
