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
  const client = new QmpConnection(connection, clock);
  try {
    await client.greeted(defaultTimeoutMs);
    await client.execute("qmp_capabilities");
  } catch (error) {
    client.close();
    throw error;
  }
  return client;
}

interface Settled<T> {
  resolve(value: T): void;
  reject(error: Error): void;
}

interface WaitingForEvent extends Settled<QmpEvent> {
  matches(event: QmpEvent): boolean;
}

class QmpConnection implements QmpClient {
  readonly #connection: Duplex;
  readonly #clock: Clock;
  readonly #parser = createQmpParser();
  readonly #pending = new Map<number, Settled<unknown>>();
  readonly #waiting = new Set<WaitingForEvent>();
  readonly #greeting: Promise<void>;
  #greet: Settled<void> | undefined;
  #lastId = 0;
  #failure: KeyframeError | undefined;

  constructor(connection: Duplex, clock: Clock) {
    this.#connection = connection;
    this.#clock = clock;
    this.#greeting = new Promise<void>((resolve, reject) => {
      this.#greet = { resolve, reject };
    });
    this.#greeting.catch(() => undefined); // reported by who waits for it
    connection.on("data", (chunk: Buffer) => this.#receive(chunk));
    connection.on("error", (error) => this.#end(error));
    connection.on("close", () => this.#end(undefined));
  }

  greeted(timeoutMs: number): Promise<void> {
    return this.#limited(this.#greeting, "the connection", timeoutMs);
  }

  execute(command: string, args?: object, timeoutMs = defaultTimeoutMs): Promise<unknown> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    this.#lastId += 1;
    const id = this.#lastId;
    const answer = new Promise<unknown>((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.#connection.write(encodeQmpCommand(command, id, args));
    });
    return this.#limited(answer, command, timeoutMs)
      .catch((error: unknown) => {
        // a monitor that does not answer will not answer the next command either: let that one fail at once
        if (isKeyframeError(error, "timed-out")) this.#end(error);
        throw error;
      })
      .finally(() => this.#pending.delete(id));
  }

  waitFor(matches: (event: QmpEvent) => boolean, timeoutMs: number): Promise<QmpEvent> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    let entry: WaitingForEvent | undefined;
    const event = new Promise<QmpEvent>((resolve, reject) => {
      entry = { matches, resolve, reject };
      this.#waiting.add(entry);
    });
    return this.#limited(event, "with the expected event", timeoutMs).finally(() => {
      if (entry !== undefined) this.#waiting.delete(entry);
    });
  }

  close(): void {
    this.#end(undefined);
    this.#connection.destroy();
  }

  #receive(chunk: Buffer): void {
    try {
      for (const message of this.#parser.push(chunk)) this.#take(message);
    } catch (error) {
      this.#end(error);
      this.#connection.destroy();
    }
  }

  #take(message: QmpMessage): void {
    if (message.kind === "greeting") this.#greet?.resolve();
    else if (message.kind === "event") this.#deliver(message.event);
    else {
      const asked = message.id === undefined ? undefined : this.#pending.get(message.id);
      if (message.id !== undefined) this.#pending.delete(message.id);
      if (message.kind === "return") asked?.resolve(message.value);
      else asked?.reject(new KeyframeError("hypervisor-failed", `QEMU: ${message.text}`));
    }
  }

  #deliver(event: QmpEvent): void {
    for (const each of Array.from(this.#waiting)) {
      if (!each.matches(event)) continue;
      this.#waiting.delete(each);
      each.resolve(event);
    }
  }

  #end(cause: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = new KeyframeError("hypervisor-failed", "QEMU closed its monitor", { cause });
    for (const each of [...this.#pending.values(), ...this.#waiting]) each.reject(this.#failure);
    this.#pending.clear();
    this.#waiting.clear();
    this.#greet?.reject(this.#failure);
  }

  async #limited<T>(work: Promise<T>, what: string, timeoutMs: number): Promise<T> {
    const limit = new AbortController();
    const late = this.#clock.sleep(timeoutMs, limit.signal).then(() => {
      throw new KeyframeError("timed-out", `QEMU did not answer ${what} within ${timeoutMs} ms`);
    });
    try {
      return await Promise.race([work, late]);
    } finally {
      limit.abort();
      late.catch(() => undefined); // its abort
    }
  }
}
