import { formatBytes } from "../../base/bytes.ts";
import { errorText, KeyframeError } from "../../base/errors.ts";
import { parseByteSize, parseDurationMs } from "../../base/quantities.ts";
import { chooseAcceleration, parseAccelerator } from "../../sandbox/acceleration.ts";
import { copyIn } from "../../sandbox/copy-files.ts";
import { withGuest } from "../../sandbox/guest-session.ts";
import type { SandboxWorld } from "../../sandbox/home.ts";
import { parseObjectName, parseSnapshotId } from "../../sandbox/ids.ts";
import { findImage } from "../../sandbox/image-build.ts";
import { defaultNetworkRules, parseNetworkRule } from "../../sandbox/network-rules.ts";
import { readImageRecord } from "../../sandbox/records.ts";
import { findSnapshot, listSnapshots, mustBeReady } from "../../sandbox/snapshot-store.ts";
import { bootSandbox, type ForkResult, forkSnapshot } from "../../sandbox/start-sandbox.ts";
import type { CliContext } from "../context.ts";
import { describeSandbox } from "./describe.ts";
import { resolvePath, sandboxWorld } from "./world.ts";

export interface RunFlags {
  readonly memory?: string;
  readonly cpus?: number;
  readonly disk?: string;
  readonly env?: readonly string[];
  readonly copy?: readonly string[];
  readonly net?: string;
  readonly allow?: readonly string[];
  readonly ttl?: string;
  readonly idle?: string;
  readonly name?: string;
  readonly count?: number;
  readonly json?: boolean;
}

/** Starts one sandbox from an image, or some from a snapshot. */
export async function runSandbox(this: CliContext, flags: RunFlags, what: string): Promise<void> {
  const world = sandboxWorld(this);
  const results = await start(this, world, flags, what);
  for (const result of results) {
    if (result.ok) await copyAll(this, world, flags.copy ?? [], result.sandbox.record);
  }
  printStarted(this, world, results, flags.json === true);
}

async function start(
  context: CliContext,
  world: SandboxWorld,
  flags: RunFlags,
  what: string,
): Promise<readonly ForkResult[]> {
  const options = {
    ...(flags.name === undefined ? {} : { name: parseObjectName(flags.name) }),
    env: parseEnv(flags.env ?? []),
    ...(flags.ttl === undefined ? {} : { lifetimeMs: parseDurationMs(flags.ttl) }),
    ...(flags.idle === undefined ? {} : { idleMs: parseDurationMs(flags.idle) }),
    ...parseNetwork(flags),
  };
  if (isImage(world, what)) {
    if ((flags.count ?? 1) !== 1) {
      throw new KeyframeError("usage", "--count needs a snapshot: what starts from an image starts alone", {
        hint: "run one, then `keyframe sandbox branch <id> --count <n>`",
      });
    }
    const acceleration = await chooseAcceleration(
      world,
      parseAccelerator(context.env["KEYFRAME_ACCELERATOR"]),
    );
    context.terminal.note(`accelerator: ${acceleration.accelerator} (${acceleration.reason})`);
    const sandbox = await bootSandbox(world, findImage(world, parseObjectName(what)), {
      ...options,
      memoryMiB: Math.ceil(parseByteSize(flags.memory ?? "512M") / 1024 ** 2),
      cpus: flags.cpus ?? 1,
      diskBytes: parseByteSize(flags.disk ?? "4G"),
      accelerator: acceleration.accelerator,
    });
    return [{ ok: true, sandbox }];
  }
  if (flags.memory !== undefined || flags.cpus !== undefined || flags.disk !== undefined) {
    throw new KeyframeError(
      "usage",
      "--memory, --cpus and --disk are the snapshot's own and cannot be chosen again",
    );
  }
  return forkSnapshot(world, mustBeReady(world, findSnapshot(world, what)), {
    ...options,
    count: flags.count ?? 1,
  });
}

/** A name may be an image's and a snapshot's: an id is always a snapshot's, and an image is asked first. */
function isImage(world: SandboxWorld, what: string): boolean {
  if (parseSnapshotId(what) !== undefined) return false;
  const name = parseObjectName(what);
  if (readImageRecord(world.files, world.home.imageRecord(name)) !== undefined) return true;
  if (listSnapshots(world).some((each) => each.name === what)) return false;
  throw new KeyframeError("not-found", `there is no image or snapshot ${what}`, {
    hint: "`keyframe image build` makes an image; `keyframe snapshot ls` lists snapshots",
  });
}

export function parseEnv(pairs: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf("=");
      if (at < 1) throw new KeyframeError("usage", `--env takes NAME=value: ${pair}`);
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}

/** Nothing unless asked for, also from a snapshot of a sandbox that had a network. */
function parseNetwork(flags: RunFlags): { network?: { allow: string[] } } {
  const allow = flags.allow ?? [];
  if (flags.net !== undefined && flags.net !== "none" && flags.net !== "user") {
    throw new KeyframeError("usage", `--net is none or user: ${flags.net}`);
  }
  if (flags.net !== "user") {
    if (allow.length > 0) throw new KeyframeError("usage", "--allow works with --net user only");
    return {};
  }
  for (const rule of allow) parseNetworkRule(rule);
  return { network: { allow: allow.length === 0 ? [...defaultNetworkRules] : [...allow] } };
}

async function copyAll(
  context: CliContext,
  world: SandboxWorld,
  copies: readonly string[],
  record: Parameters<typeof withGuest>[1],
): Promise<void> {
  if (copies.length === 0) return;
  await withGuest(world, record, async (guest) => {
    for (const copy of copies) {
      const at = copy.lastIndexOf(":");
      if (at < 1) throw new KeyframeError("usage", `--copy takes <here>:<path in the guest>: ${copy}`);
      const result = await copyIn(
        world.files,
        guest,
        resolvePath(context, copy.slice(0, at)),
        copy.slice(at + 1),
      );
      context.terminal.note(`copied ${result.fileCount} files, ${formatBytes(result.sizeBytes)}`);
    }
  });
}

export function printStarted(
  context: CliContext,
  world: SandboxWorld,
  results: readonly ForkResult[],
  json: boolean,
): void {
  if (json) {
    context.terminal.json(
      results.map((result) =>
        result.ok
          ? {
              ok: true,
              ...describeSandbox(world, result.sandbox.record),
              readyMs: result.sandbox.readyMs,
              problems: result.sandbox.problems,
            }
          : { ok: false, error: errorText(result.error) },
      ),
    );
  }
  for (const result of results) {
    if (!result.ok)
      context.terminal.note(`keyframe: a child could not be started: ${errorText(result.error)}`);
    else {
      if (!json) context.terminal.out(result.sandbox.record.name ?? result.sandbox.record.id);
      for (const problem of result.sandbox.problems)
        context.terminal.note(`keyframe: ${result.sandbox.record.id}: ${problem}`);
    }
  }
  if (results.some((result) => !result.ok)) context.process.exitCode = 1;
}
