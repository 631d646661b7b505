import { KeyframeError } from "../../base/errors.ts";
import type { GuestCommand } from "../../sandbox/guest/command.ts";
import type { CommandExit, CommandRequest } from "../../sandbox/guest/message.ts";
import type { SandboxRecord } from "../../sandbox/store/records.ts";
import type { ServerContext } from "../context/context.ts";
import type { EventStream } from "../requests/event-stream.ts";
import { encodeEnvelope, toConnectError } from "./connect-protocol.ts";

/** What a client asked to run, as it asked. */
export interface ProcessConfig {
  readonly cmd: string;
  readonly args: readonly string[];
  readonly envs: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

export interface GuestProcess {
  readonly pid: number;
  readonly tag: string | undefined;
  readonly config: ProcessConfig;
  readonly command: GuestCommand;
  readonly isTerminal: boolean;
  /** Sends its events there from now on; a client that reads slowly slows the command down. */
  attach(stream: EventStream): void;
}

/**
 * The commands that E2B clients have started through this server. They go on when their client goes: it may come back
 * by process id. Without a reader their output is dropped. When this server ends they go on in their guests, without
 * anybody who could read them.
 */
export interface GuestProcessTable {
  start(record: SandboxRecord, request: ProcessStart): Promise<GuestProcess>;
  /** `not-found`. */
  find(record: SandboxRecord, selector: ProcessSelector): GuestProcess;
  list(record: SandboxRecord): readonly GuestProcess[];
}

export interface ProcessStart {
  readonly config: ProcessConfig;
  readonly request: CommandRequest;
  readonly tag: string | undefined;
  /** The first reader: it misses nothing. */
  readonly stream: EventStream;
}

export type ProcessSelector = { readonly pid: number } | { readonly tag: string };

export function createGuestProcessTable(context: ServerContext): GuestProcessTable {
  const tables = new Map<string, Map<number, GuestProcess>>();

  return {
    async start(record, { config, request, tag, stream }) {
      const held = await context.sessions.hold(record);
      try {
        const command = held.guest.run({ ...request, keep: true });
        const pid = await command.started;
        const readers = new Set<EventStream>();
        const process: GuestProcess = {
          pid,
          tag,
          config,
          command,
          isTerminal: request.terminal !== undefined,
          attach(reader) {
            readers.add(reader);
            reader.gone.addEventListener("abort", () => readers.delete(reader), { once: true });
          },
        };
        process.attach(stream);
        const table = tables.get(record.id) ?? new Map<number, GuestProcess>();
        tables.set(record.id, table.set(pid, process));
        await stream.push(encodeStart(pid)).catch(() => undefined); // it has gone: the command goes on
        const startedAtMs = context.sandboxContext.clock.monotonicMs();
        void pump(process, readers).finally(() => {
          context.metrics.execSeconds.observe(
            (context.sandboxContext.clock.monotonicMs() - startedAtMs) / 1000,
          );
          held.release();
          table.delete(pid);
          if (table.size === 0 && tables.get(record.id) === table) tables.delete(record.id);
        });
        return process;
      } catch (error) {
        held.release();
        throw error;
      }
    },
    find(record, selector) {
      const all = [...(tables.get(record.id)?.values() ?? [])];
      const found = all.find((each) =>
        "pid" in selector ? each.pid === selector.pid : each.tag === selector.tag,
      );
      if (found === undefined) throw new KeyframeError("not-found", "there is no such process");
      return found;
    },
    list: (record) => [...(tables.get(record.id)?.values() ?? [])],
  };
}

/** The event that a stream begins with. */
export function encodeStart(pid: number): Uint8Array {
  return encodeEnvelope({ event: { start: { pid } } });
}

async function pump(process: GuestProcess, readers: Set<EventStream>): Promise<void> {
  const send = async (bytes: Uint8Array) => {
    await Promise.all([...readers].map((reader) => reader.push(bytes).catch(() => readers.delete(reader))));
  };
  const forward = async (from: AsyncIterable<Buffer>, kind: "stdout" | "stderr" | "pty") => {
    for await (const piece of from) {
      await send(encodeEnvelope({ event: { data: { [kind]: piece.toString("base64") } } }));
    }
  };
  let last: Uint8Array;
  try {
    await Promise.all([
      forward(process.command.stdout, process.isTerminal ? "pty" : "stdout"),
      forward(process.command.stderr, "stderr"),
    ]);
    const exit = await process.command.exited;
    if (exit.timedOut) {
      throw new KeyframeError("timed-out", "the command ran for longer than it was given");
    }
    await send(encodeEnvelope({ event: { end: describeExit(exit) } }));
    last = encodeEnvelope({}, true);
  } catch (error) {
    last = encodeEnvelope({ error: toConnectError(error) }, true);
  }
  await send(last);
  for (const reader of readers) reader.end();
}

function describeExit(exit: CommandExit): object {
  if (exit.kind === "signal") {
    const status = `signal: ${exit.signal}`;
    return { exitCode: -1, exited: false, status, error: status };
  }
  const status = `exit status ${exit.code}`;
  return { exitCode: exit.code, exited: true, status, ...(exit.code === 0 ? {} : { error: status }) };
}
