import type { Duplex } from "node:stream";
import { isKeyframeError, KeyframeError } from "../../base/errors.ts";
import type { Clock } from "../../system/clock.ts";
import { createQmpParser, encodeQmpCommand, type QmpEvent, type QmpMessage } from "./qmp-codec.ts";

/** A QEMU monitor. A monitor serves one client at a time: hold it for short. */
export interface QmpClient {
  /** The answer's `return`. `hypervisor-failed` if QEMU refuses or ends, `timed-out` if it does not answer. */
  execute(command: string, args?: object, timeoutMs?: number): Promise<unknown>;
  /** The first event for which `matches` is true, of those that arrive from now on. */
  waitFor(matches: (event: QmpEvent) => boolean, timeoutMs: number): Promise<QmpEvent>;
  close(): void;
}

const defaultTimeoutMs = 10_000;

/** Takes over a connected monitor: reads its greeting and leaves negotiation. */
export async function openQmp(connection: Duplex, clock: Clock): Promise<QmpClient> {
  const parser = createQmpParser();
  const pending = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  const waiting = new Set<{
    matches(event: QmpEvent): boolean;
    resolve(event: QmpEvent): void;
    reject(error: Error): void;
  }>();
  let lastId = 0;
  let failure: KeyframeError | undefined;
  let greet: { resolve(): void; reject(error: Error): void } | undefined;
  const greeted = new Promise<void>((resolve, reject) => {
    greet = { resolve, reject };
  });
  greeted.catch(() => undefined); // reported by the race below

  function end(cause: unknown): void {
    if (failure !== undefined) return;
    failure = new KeyframeError("hypervisor-failed", "QEMU closed its monitor", { cause });
    for (const each of [...pending.values(), ...waiting]) each.reject(failure);
    pending.clear();
    waiting.clear();
    greet?.reject(failure);
  }

  function take(message: QmpMessage): void {
    if (message.kind === "greeting") {
      greet?.resolve();
      return;
    }
    if (message.kind === "event") {
      for (const each of Array.from(waiting)) {
        if (!each.matches(message.event)) continue;
        waiting.delete(each);
        each.resolve(message.event);
      }
      return;
    }
    const asked = message.id === undefined ? undefined : pending.get(message.id);
    if (message.id !== undefined) pending.delete(message.id);
    if (message.kind === "return") asked?.resolve(message.value);
    else asked?.reject(new KeyframeError("hypervisor-failed", `QEMU: ${message.text}`));
  }

  connection.on("data", (chunk: Buffer) => {
    try {
      for (const message of parser.push(chunk)) take(message);
    } catch (error) {
      end(error);
      connection.destroy();
    }
  });
  connection.on("error", end);
  connection.on("close", () => end(undefined));

  async function limited<T>(work: Promise<T>, what: string, timeoutMs: number): Promise<T> {
    const limit = new AbortController();
    const late = clock.sleep(timeoutMs, limit.signal).then(() => {
      throw new KeyframeError("timed-out", `QEMU did not answer ${what} within ${timeoutMs} ms`);
    });
    try {
      return await Promise.race([work, late]);
    } finally {
      limit.abort();
      late.catch(() => undefined); // its abort
    }
  }

  const client: QmpClient = {
    execute(command, args, timeoutMs = defaultTimeoutMs) {
      if (failure !== undefined) return Promise.reject(failure);
      lastId += 1;
      const id = lastId;
      const answer = new Promise<unknown>((resolve, reject) => {
        pending.set(id, { resolve, reject });
        connection.write(encodeQmpCommand(command, id, args));
      });
      return limited(answer, command, timeoutMs)
        .catch((error: unknown) => {
          // a monitor that does not answer will not answer the next command either: let that one fail at once
          if (isKeyframeError(error, "timed-out")) end(error);
          throw error;
        })
        .finally(() => pending.delete(id));
    },
    waitFor(matches, timeoutMs) {
      if (failure !== undefined) return Promise.reject(failure);
      let entry: Parameters<typeof waiting.add>[0] | undefined;
      const event = new Promise<QmpEvent>((resolve, reject) => {
        entry = { matches, resolve, reject };
        waiting.add(entry);
      });
      return limited(event, "with the expected event", timeoutMs).finally(() => {
        if (entry !== undefined) waiting.delete(entry);
      });
    },
    close() {
      end(undefined);
      connection.destroy();
    },
  };
  try {
    await limited(greeted, "the connection", defaultTimeoutMs);
    await client.execute("qmp_capabilities");
  } catch (error) {
    client.close();
    throw error;
  }
  return client;
}
