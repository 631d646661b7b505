import { setMaxListeners } from "node:events";
import { PassThrough, Writable } from "node:stream";
import type { GuestChannel } from "../../src/sandbox/guest/channel.ts";
import type { GuestCommand } from "../../src/sandbox/guest/command.ts";
import type { CommandExit, CommandRequest } from "../../src/sandbox/guest/message.ts";
import type { SandboxId, SnapshotId } from "../../src/sandbox/ids.ts";
import { openSandboxHome, type SandboxContext } from "../../src/sandbox/store/home.ts";
import type { SandboxRecord } from "../../src/sandbox/store/records.ts";
import { saveSandboxRecord } from "../../src/sandbox/store/sandbox-store.ts";
import { type ReadySnapshot, saveSnapshotRecord } from "../../src/sandbox/store/snapshot-store.ts";
import { createApp } from "../../src/server/app.ts";
import { createBackgroundWork } from "../../src/server/context/background-work.ts";
import type { ServerContext, SnapshotStores } from "../../src/server/context/context.ts";
import { createGuestSessions } from "../../src/server/context/guest-sessions.ts";
import { keptSecret } from "../../src/server/context/kept-secret.ts";
import { type SandboxApi, sandboxApi } from "../../src/server/context/sandbox-api.ts";
import { createServerMetrics } from "../../src/server/context/server-metrics.ts";
import { openAuditLog } from "../../src/server/requests/audit-log.ts";
import type { ServerApp } from "../../src/server/requests/request-env.ts";
import { addSandboxGauges } from "../../src/server/sandbox-gauges.ts";
import { nodeClock } from "../../src/system/clock.ts";
import { nodeFiles } from "../../src/system/files/files.ts";
import { nodeProcessMemory } from "../../src/system/process/process-memory.ts";
import { nodeProcessTable } from "../../src/system/process/process-table.ts";
import { nodeProcesses } from "../../src/system/process/processes.ts";
import { nodeRandom } from "../../src/system/random.ts";
import { scratchFolder } from "./scratch.ts";

export interface TestServer {
  readonly app: ServerApp;
  readonly sandboxContext: SandboxContext;
  readonly server: ServerContext;
  readonly warnings: string[];
  readonly audited: () => Record<string, unknown>[];
  /** As from this machine, with a JSON body if one is given. */
  readonly ask: (
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ) => Promise<Response>;
}

/** The real app and the real library on an empty home, in process; `faults` take the place of its functions. */
export function openTestServer(
  faults: Partial<SandboxApi> = {},
  options: { readonly token?: string; readonly maxRequests?: number; readonly stores?: SnapshotStores } = {},
): TestServer {
  const warnings: string[] = [];
  const stopping = new AbortController();
  setMaxListeners(0, stopping.signal);
  const root = scratchFolder();
  const sandboxContext: SandboxContext = {
    program: { node: process.execPath, entry: "/nowhere" },
    files: nodeFiles,
    clock: nodeClock,
    random: nodeRandom,
    processes: nodeProcesses,
    // a machine of these tests is the test's own process: nothing may end it
    processTable: { ...nodeProcessTable, signal: () => false },
    processMemory: nodeProcessMemory,
    hypervisor: {
      start: () => Promise.reject(new Error("no machines here")),
      attach: () => Promise.reject(new Error("no machines here")),
    },
    home: openSandboxHome(nodeFiles, nodeRandom, root),
    platform: "linux",
    cores: 2,
    warn: (text) => void warnings.push(text),
  };
  const faulty: SandboxApi = { ...sandboxApi, ...faults };
  const server: ServerContext = {
    sandboxContext,
    sandboxApi: faulty,
    accelerator: "tcg",
    isRoot: false,
    stores: options.stores ?? { names: [], use: () => Promise.reject(new Error("no stores here")) },
    secret: keptSecret(sandboxContext, "api-secret").secret,
    sessions: createGuestSessions(sandboxContext, faulty),
    metrics: createServerMetrics(),
    background: createBackgroundWork(sandboxContext.warn),
    stopping: stopping.signal,
  };
  addSandboxGauges(server);
  const audit = `${root}/audit.log`;
  const app = createApp(server, {
    access: { token: options.token, localOnly: options.token === undefined },
    audit: openAuditLog(audit, sandboxContext),
    leases: { wake: () => undefined, stop: () => Promise.resolve() },
    maxRequests: options.maxRequests ?? 256,
  });
  return {
    app,
    sandboxContext,
    server,
    warnings,
    audited: () =>
      (nodeFiles.readIfExists(audit)?.toString("utf8") ?? "")
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line) as Record<string, unknown>),
    async ask(method, path, body, headers = {}) {
      return app.request(`http://127.0.0.1:7070${path}`, {
        method,
        headers: {
          host: "127.0.0.1:7070",
          ...(body === undefined ? {} : { "content-type": "application/json" }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
      });
    },
  };
}

/** A sandbox whose machine is this very process: it runs as far as any record can tell. */
const shape = {
  memoryMiB: 64,
  cpus: 1,
  diskBytes: 1 << 30,
  accelerator: "tcg",
  machine: "microvm",
  processor: "max",
} as const;

export function recordRunningSandbox(
  sandboxContext: SandboxContext,
  more: Partial<SandboxRecord> = {},
): SandboxRecord {
  const id = "sb-0123456789ab" as SandboxId;
  const record: SandboxRecord = {
    format: 1,
    id,
    createdAtMs: 1,
    status: "running",
    shape,
    generation: 1,
    env: {},
    disk: [],
    machine: { process: sandboxContext.processTable.self(), memoryPath: "/none" },
    ...more,
  };
  sandboxContext.files.makeFolder(sandboxContext.home.sandboxFolder(record.id));
  saveSandboxRecord(sandboxContext, record);
  return record;
}

/** The pause of every snapshot here. */
export const pause = { totalMs: 12, diskMs: 1, deviceMs: 1, scanMs: 1, copyMs: 1, pages: 3 };

export function recordSnapshot(
  sandboxContext: SandboxContext,
  more: Partial<ReadySnapshot> = {},
): ReadySnapshot {
  const record: ReadySnapshot = {
    format: 1,
    id: "sn-0123456789ab" as SnapshotId,
    state: "ready",
    createdAtMs: 1,
    shape,
    generation: 1,
    hypervisor: "qemu",
    disk: [],
    memory: { memoryBytes: 4096, tableDigest: "0".repeat(64), dataPages: 1, zeroPages: 0, fileBytes: 8192 },
    deviceState: { sizeBytes: 1, sha256: "0".repeat(64) },
    seal: "0".repeat(64),
    pause,
    ...more,
  };
  sandboxContext.files.makeFolder(sandboxContext.home.snapshotFolder(record.id));
  saveSnapshotRecord(sandboxContext, record);
  return record;
}

export interface FakeCommand {
  readonly request: CommandRequest;
  readonly stdout: PassThrough;
  readonly stderr: PassThrough;
  readonly signals: number[];
  readonly input: () => string;
  cancelled: boolean;
  exit(exit: CommandExit): void;
}

/** A guest whose commands do what the test tells them. */
export function createFakeGuest(): {
  readonly open: SandboxApi["openGuestSession"];
  readonly commands: FakeCommand[];
  readonly openCount: () => number;
} {
  const commands: FakeCommand[] = [];
  let open = 0;
  const run = (request: CommandRequest): GuestCommand => {
    let settle: (exit: CommandExit) => void = () => undefined;
    const exited = new Promise<CommandExit>((resolve) => {
      settle = resolve;
    });
    const pieces: Buffer[] = [];
    const fake: FakeCommand = {
      request,
      stdout: new PassThrough(),
      stderr: new PassThrough(),
      signals: [],
      input: () => Buffer.concat(pieces).toString(),
      cancelled: false,
      exit(exit) {
        fake.stdout.end();
        fake.stderr.end();
        settle(exit);
      },
    };
    commands.push(fake);
    return {
      stdin: new Writable({
        write(chunk: Buffer, _encoding, done) {
          pieces.push(chunk);
          done();
        },
      }),
      stdout: fake.stdout,
      stderr: fake.stderr,
      started: Promise.resolve(100 + commands.length),
      exited,
      signal: (number) => void fake.signals.push(number),
      resize: () => undefined,
      cancel() {
        fake.cancelled = true;
        fake.exit({ kind: "signal", signal: 9, timedOut: false });
      },
    };
  };
  return {
    commands,
    openCount: () => open,
    async open() {
      open += 1;
      let markClosed: () => void = () => undefined;
      const closed = new Promise<void>((resolve) => {
        markClosed = resolve;
      });
      const guest = { run, closed, close: () => markClosed() } as unknown as GuestChannel;
      return {
        guest,
        port: 0,
        async close() {
          open -= 1;
          markClosed();
        },
      };
    },
  };
}
