import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, existsSync, lstatSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { CommandRequest } from "../../src/sandbox/guest/message.ts";
import { collectCommand, withGuest } from "../../src/sandbox/guest/session.ts";
import { parseObjectName } from "../../src/sandbox/ids.ts";
import { findSandboxImage } from "../../src/sandbox/image/build.ts";
import {
  type BootOptions,
  bootSandbox,
  type ForkResult,
  type StartedSandbox,
} from "../../src/sandbox/lifecycle/start-sandbox.ts";
import { createQemu } from "../../src/sandbox/qemu/qemu.ts";
import { openSandboxHome, type SandboxContext } from "../../src/sandbox/store/home.ts";
import type { ImageRecord, SandboxRecord } from "../../src/sandbox/store/records.ts";
import { listSandboxes } from "../../src/sandbox/store/sandbox-store.ts";
import { nodeClock } from "../../src/system/clock.ts";
import { nodeFiles } from "../../src/system/files/files.ts";
import { nodeProcessMemory } from "../../src/system/process/process-memory.ts";
import { nodeProcessTable } from "../../src/system/process/process-table.ts";
import { nodeProcesses } from "../../src/system/process/processes.ts";
import { nodeRandom } from "../../src/system/random.ts";

export interface SandboxLab {
  readonly context: SandboxContext;
  readonly image: ImageRecord;
  readonly warnings: string[];
  boot(name?: string, options?: Partial<BootOptions>): Promise<StartedSandbox>;
  /** The output of a shell command in a guest; throws if it fails. */
  sh(sandbox: SandboxRecord, script: string, options?: Omit<CommandRequest, "argv">): Promise<string>;
  /** The program as users run it. */
  cli(
    args: readonly string[],
    env?: Readonly<Record<string, string>>,
    cwd?: string,
  ): { code: number | null; signal: string | null; stdout: string; stderr: string };
  /** Ends every machine and removes all files. */
  close(): Promise<void>;
}

const labMemoryMiB = 160;

/** A home that was built before, and the image in it that machines start from. */
export interface BuiltHome {
  readonly home: string;
  readonly image: string;
}

/**
 * A home of its own below the directory, with a Debian image where no other is named, on the real QEMU. Emulated: what every
 * machine has.
 */
export function openSandboxLab(folder = tmpdir(), other?: BuiltHome): SandboxLab {
  const root = mkdtempSync(join(folder, "sbx-"));
  const built = other?.home ?? join(process.env["KEYFRAME_TEST_IMAGES"] ?? root, "debian");
  if (other === undefined) buildDebianImage(built);
  // locks are sockets, which no copy can hold
  cpSync(built, root, { recursive: true, filter: (from) => !lstatSync(from).isSocket() });
  const warnings: string[] = [];
  const context = openBareContext(root, warnings);
  const image = findSandboxImage(context, parseObjectName(other?.image ?? "debian"));
  return {
    context,
    image,
    warnings,
    boot: (name, options = {}) =>
      bootSandbox(context, image, {
        ...(name === undefined ? {} : { name: parseObjectName(name) }),
        memoryMiB: labMemoryMiB,
        cpus: 1,
        diskBytes: 1024 ** 3,
        accelerator: "tcg",
        ...options,
      }),
    sh: (sandbox, script, options) =>
      withGuest(context, sandbox, async (guest) => {
        const { exit, stdout, stderr } = await collectCommand(guest, {
          ...options,
          argv: ["sh", "-c", script],
        });
        if (exit.kind === "code" && exit.code === 0) return stdout.toString("utf8").trim();
        throw new Error(`${script}: ${JSON.stringify(exit)} ${stderr.toString("utf8")}`);
      }),
    cli: (args, env = {}, cwd = process.cwd()) => {
      const result = spawnSync(process.execPath, [resolve("dist/keyframe.cjs"), ...args], {
        cwd,
        env: { ...process.env, KEYFRAME_SANDBOX_HOME: root, KEYFRAME_ACCELERATOR: "tcg", ...env },
        encoding: "utf8",
        timeout: 120_000,
      });
      return { code: result.status, signal: result.signal, stdout: result.stdout, stderr: result.stderr };
    },
    async close() {
      for (const sandbox of listSandboxes(context)) {
        if (sandbox.machine !== undefined) nodeProcessTable.signal(sandbox.machine.process, "SIGKILL");
      }
      rmSync(root, { recursive: true, force: true });
    },
  };
}

/** Builds the Debian image that machines of tests start from, unless this home has it. */
export function buildDebianImage(home: string): void {
  if (existsSync(join(home, "images", "debian.json"))) return;
  mkdirSync(home, { recursive: true });
  execFileSync(
    process.execPath,
    ["dist/keyframe.cjs", "image", "build", "debian", "--from", "debian:bookworm"],
    { env: { ...process.env, KEYFRAME_SANDBOX_HOME: home }, stdio: ["ignore", "ignore", "inherit"] },
  );
}

/** A world with a home of its own and nothing in it. */
export function openBareContext(root: string, warnings: string[] = []): SandboxContext {
  const base = { files: nodeFiles, clock: nodeClock, processTable: nodeProcessTable };
  return {
    ...base,
    processes: nodeProcesses,
    random: nodeRandom,
    processMemory: nodeProcessMemory,
    hypervisor: createQemu(base),
    home: openSandboxHome(nodeFiles, nodeRandom, root),
    platform: process.platform,
    cores: 2,
    program: { node: process.execPath, entry: resolve("dist/keyframe.cjs") },
    warn: (text) => void warnings.push(text),
  };
}

/** The children; throws the first failure. */
export function allStarted(results: readonly ForkResult[]): SandboxRecord[] {
  return results.map((result) => {
    if (!result.ok) throw result.error;
    return result.sandbox.record;
  });
}
