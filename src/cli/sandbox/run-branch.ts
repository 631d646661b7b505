import { KeyframeError } from "../../base/errors.ts";
import { parseObjectName } from "../../sandbox/ids.ts";
import { branchSandbox, type WritingSnapshot } from "../../sandbox/lifecycle/branch.ts";
import { describeSnapshot } from "../../sandbox/snapshot/describe.ts";
import { type SandboxContext, stagingPath } from "../../sandbox/store/home.ts";
import type { SandboxRecord } from "../../sandbox/store/records.ts";
import { findSandbox } from "../../sandbox/store/sandbox-store.ts";
import { connectUnixSocket, listenUnixSocket } from "../../system/net/unix-socket.ts";
import { startDetached } from "../../system/process/detached-process.ts";
import { type BranchSteps, branchIntoChildren } from "../../workflows/branch-into-children.ts";
import type { CliContext } from "../command/context.ts";
import { sandboxContextOf } from "./context.ts";
import { printStarted } from "./run-start.ts";

export interface BranchFlags {
  readonly name?: string;
  readonly count?: number;
  readonly noWait?: boolean;
  /** For the process that goes on after --no-wait: the socket on which the caller waits. */
  readonly announce?: string;
  readonly json?: boolean;
}

/** A snapshot of a running sandbox, which goes on. */
export async function snapshotSandbox(this: CliContext, flags: BranchFlags, id: string): Promise<void> {
  const sandboxContext = sandboxContextOf(this);
  if (flags.noWait) return handOver(this, sandboxContext, "snapshot", flags, id);
  const source = findSandbox(sandboxContext, id);
  const options = flags.name === undefined ? {} : { name: parseObjectName(flags.name) };
  const writing = await branchSandbox(sandboxContext, source.id, options);
  await tell(this, flags, { source, writing });
  const snapshot = await writing.durable;
  if (flags.json) this.terminal.json(describeSnapshot(sandboxContext, snapshot));
  else this.terminal.out(snapshot.name ?? snapshot.id);
}

/** A snapshot, and children of it. */
export async function branch(this: CliContext, flags: BranchFlags, id: string): Promise<void> {
  const sandboxContext = sandboxContextOf(this);
  if (flags.noWait) return handOver(this, sandboxContext, "branch", flags, id);
  const { children } = await branchAndTell(this, sandboxContext, { flags, id });
  printStarted(this, sandboxContext, children, flags.json === true);
}

/** `keyframe sandbox branch` below its flags; the tests give it a context of their own. */
export function branchAndTell(
  context: CliContext,
  sandboxContext: SandboxContext,
  { flags, id, steps }: { readonly flags: BranchFlags; readonly id: string; readonly steps?: BranchSteps },
) {
  const source = findSandbox(sandboxContext, id);
  const request = {
    ...(flags.name === undefined ? {} : { snapshotName: parseObjectName(flags.name) }),
    count: flags.count ?? 1,
    onPaused: (writing: WritingSnapshot) => tell(context, flags, { source, writing }),
  };
  return branchIntoChildren(sandboxContext, source, request, steps);
}

async function tell(
  context: CliContext,
  flags: BranchFlags,
  { source, writing }: { readonly source: SandboxRecord; readonly writing: WritingSnapshot },
): Promise<void> {
  context.terminal.note(
    `paused for ${writing.pause.totalMs.toFixed(1)} ms (${writing.pause.pages} pages, ${source.shape.accelerator})`,
  );
  if (flags.announce === undefined) return;
  const connection = await connectUnixSocket(flags.announce);
  connection.on("error", () => undefined); // the caller has gone: the work goes on
  connection.end(`${JSON.stringify({ snapshot: writing.id, state: "writing", pause: writing.pause })}\n`);
}

/** Another process does it all; this one ends as soon as that one says that the guest runs again. */
async function handOver(
  context: CliContext,
  sandboxContext: SandboxContext,
  verb: string,
  flags: BranchFlags,
  id: string,
): Promise<void> {
  const base = stagingPath(sandboxContext, "announce");
  const logPath = `${base}.log`;
  let hear: (text: string) => void = () => undefined;
  const heard = new Promise<string>((resolve) => {
    hear = resolve;
  });
  const server = await listenUnixSocket(`${base}.sock`, (connection) => {
    let text = "";
    connection.on("data", (piece: Buffer) => {
      text += piece.toString("utf8");
    });
    connection.on("end", () => hear(text));
    connection.on("error", () => undefined); // cut short: the end of the process tells the rest
  });
  const child = await startDetached(
    context.program.node,
    [
      context.program.entry,
      "sandbox",
      verb,
      id,
      "--announce",
      `${base}.sock`,
      ...(flags.name === undefined ? [] : ["--name", flags.name]),
      ...(flags.count === undefined ? [] : ["--count", String(flags.count)]),
    ],
    { logPath, cwd: context.cwd },
  );
  const failed = child.exited.then((code) => {
    const log = sandboxContext.files.readIfExists(logPath)?.toString("utf8").trim() ?? "";
    throw new KeyframeError(
      "hypervisor-failed",
      `the snapshot could not be started (exit code ${code}): ${log}`,
    );
  });
  failed.catch(() => undefined); // it may also end well, later
  try {
    const announced: unknown = JSON.parse(await Promise.race([heard, failed]));
    if (flags.json) context.terminal.json(announced);
    else context.terminal.out(String((announced as { snapshot?: unknown }).snapshot));
  } finally {
    await server.close();
    sandboxContext.files.remove(logPath);
  }
}
