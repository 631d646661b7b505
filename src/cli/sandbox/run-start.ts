import { formatBytes } from "../../base/bytes.ts";
import { errorText, KeyframeError } from "../../base/errors.ts";
import { parseByteSize, parseDurationMs } from "../../base/text/quantities.ts";
import { copyIn } from "../../sandbox/guest/copy-files.ts";
import { withGuest } from "../../sandbox/guest/session.ts";
import { parseObjectName } from "../../sandbox/ids.ts";
import { createSandboxes, isImage } from "../../sandbox/lifecycle/create-sandboxes.ts";
import { describeSandbox } from "../../sandbox/lifecycle/describe-sandbox.ts";
import type { ForkResult } from "../../sandbox/lifecycle/start-sandbox.ts";
import { networkOf } from "../../sandbox/network/rules.ts";
import { parseAccelerator } from "../../sandbox/qemu/acceleration.ts";
import type { SandboxContext } from "../../sandbox/store/home.ts";
import { findSnapshot, mustBeReady } from "../../sandbox/store/snapshot-store.ts";
import type { CliContext } from "../command/context.ts";
import { resolvePath, sandboxContextOf } from "./context.ts";
import { fillPoolInBackground } from "./run-pool.ts";

export interface SandboxRunFlags {
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
  readonly pool?: number;
  readonly fresh?: boolean;
  readonly cold?: boolean;
  readonly json?: boolean;
}

/** Starts one sandbox from an image, or some from a snapshot. */
export async function runSandbox(this: CliContext, flags: SandboxRunFlags, what: string): Promise<void> {
  const sandboxContext = sandboxContextOf(this);
  if (flags.pool !== undefined && isImage(sandboxContext, what)) {
    throw new KeyframeError("usage", "--pool needs a snapshot: what starts from an image starts alone");
  }
  const results = await createSandboxes(sandboxContext, {
    from: what,
    pool: flags.fresh !== true,
    cold: flags.cold === true,
    ...(flags.name === undefined ? {} : { name: parseObjectName(flags.name) }),
    env: parseEnv(flags.env ?? []),
    ...(flags.ttl === undefined ? {} : { lifetimeMs: parseDurationMs(flags.ttl) }),
    ...(flags.idle === undefined ? {} : { idleMs: parseDurationMs(flags.idle) }),
    ...parseNetwork(flags),
    ...(flags.memory === undefined ? {} : { memoryMiB: Math.ceil(parseByteSize(flags.memory) / 1024 ** 2) }),
    ...(flags.cpus === undefined ? {} : { cpus: flags.cpus }),
    ...(flags.disk === undefined ? {} : { diskBytes: parseByteSize(flags.disk) }),
    ...(flags.count === undefined ? {} : { count: flags.count }),
    accelerator: parseAccelerator(this.env["KEYFRAME_ACCELERATOR"]),
    progress: (text) => this.terminal.note(text),
  });
  if (flags.pool !== undefined) {
    await fillPoolInBackground(
      sandboxContext,
      mustBeReady(sandboxContext, findSnapshot(sandboxContext, what)),
      flags.pool,
    );
  }
  for (const result of results) {
    if (result.ok) await copyAll(this, sandboxContext, flags.copy ?? [], result.sandbox.record);
  }
  printStarted(this, sandboxContext, results, flags.json === true);
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
function parseNetwork(flags: SandboxRunFlags): { network?: { allow: string[] } } {
  const allow = flags.allow ?? [];
  if (flags.net !== undefined && flags.net !== "none" && flags.net !== "user") {
    throw new KeyframeError("usage", `--net is none or user: ${flags.net}`);
  }
  if (flags.net !== "user") {
    if (allow.length > 0) throw new KeyframeError("usage", "--allow works with --net user only");
    return {};
  }
  return { network: networkOf(allow) };
}

async function copyAll(
  context: CliContext,
  sandboxContext: SandboxContext,
  copies: readonly string[],
  record: Parameters<typeof withGuest>[1],
): Promise<void> {
  if (copies.length === 0) return;
  await withGuest(sandboxContext, record, async (guest) => {
    for (const copy of copies) {
      const at = copy.lastIndexOf(":");
      if (at < 1) throw new KeyframeError("usage", `--copy takes <here>:<path in the guest>: ${copy}`);
      const result = await copyIn(
        sandboxContext.files,
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
  sandboxContext: SandboxContext,
  results: readonly ForkResult[],
  json: boolean,
): void {
  if (json) {
    context.terminal.json(
      results.map((result) =>
        result.ok
          ? {
              ok: true,
              ...describeSandbox(sandboxContext, result.sandbox.record),
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
  const [first] = results;
  if (first?.ok === false && results.every((result) => !result.ok)) {
    // nothing came of it: the reason is the command's, with its exit code and hint
    throw first.error;
  }
  if (results.some((result) => !result.ok)) context.process.exitCode = 1;
}
