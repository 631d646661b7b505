import { finished } from "node:stream/promises";
import { KeyframeError } from "../../base/errors.ts";
import { parseDurationMs } from "../../base/text/quantities.ts";
import type { GuestCommand } from "../../sandbox/guest/command.ts";
import { type CommandRequest, exitCodeFor } from "../../sandbox/guest/message.ts";
import { collectCommand, withGuest } from "../../sandbox/guest/session.ts";
import { ensureSidecar } from "../../sandbox/network/sidecar-client.ts";
import { findSandbox, mustRun } from "../../sandbox/store/sandbox-store.ts";
import type { CliContext } from "../command/context.ts";
import { sandboxContextOf } from "./context.ts";
import { parseEnv } from "./run-start.ts";

export interface ExecFlags {
  readonly interactive?: boolean;
  readonly tty?: boolean;
  readonly env?: readonly string[];
  readonly cwd?: string;
  readonly user?: string;
  readonly timeout?: string;
  readonly processes?: number;
  readonly keep?: boolean;
  readonly json?: boolean;
}

/** Runs a command in the guest; its exit code is this program's: 128 and the number for a signal, 124 for a timeout. */
export async function execInSandbox(
  this: CliContext,
  flags: ExecFlags,
  id: string,
  ...argv: string[]
): Promise<void> {
  const sandboxContext = sandboxContextOf(this);
  const record = findSandbox(sandboxContext, id);
  mustRun(sandboxContext, record);
  if (argv.length === 0) throw new KeyframeError("usage", "name a command after --");
  if (flags.json && (flags.tty || flags.interactive)) {
    throw new KeyframeError("usage", "--json collects the output: it does not go with -i or -t");
  }
  const { stdin, stdout } = globalThis.process;
  const request: CommandRequest = {
    argv,
    env: { ...record.env, ...parseEnv(flags.env ?? []) },
    ...(flags.cwd === undefined ? {} : { cwd: flags.cwd }),
    ...(flags.user === undefined ? {} : { user: flags.user }),
    ...(flags.timeout === undefined ? {} : { timeoutMs: parseDurationMs(flags.timeout) }),
    ...(flags.keep === undefined ? {} : { keep: flags.keep }),
    ...(flags.processes === undefined ? {} : { maxProcesses: flags.processes }),
    ...(flags.tty ? { terminal: { rows: stdout.rows ?? 24, columns: stdout.columns ?? 80 } } : {}),
  };
  await ensureSidecar(sandboxContext, record);
  await withGuest(sandboxContext, record, async (guest) => {
    if (flags.json) {
      const { exit, stdout: out, stderr } = await collectCommand(guest, request);
      this.terminal.json({ ...exit, stdout: out.toString("utf8"), stderr: stderr.toString("utf8") });
      this.process.exitCode = exitCodeFor(exit);
      return;
    }
    const command = guest.run(request);
    const restore = flags.tty ? useRawTerminal(command) : () => undefined;
    try {
      if (flags.interactive) stdin.pipe(command.stdin);
      else command.stdin.end();
      command.stdout.pipe(stdout, { end: false });
      command.stderr.pipe(globalThis.process.stderr, { end: false });
      const exit = await command.exited;
      await Promise.all([finished(command.stdout), finished(command.stderr)]);
      this.process.exitCode = exitCodeFor(exit);
    } finally {
      restore();
      stdin.unpipe(command.stdin);
      stdin.pause();
    }
  });
}

/** Keys go to the guest one by one, and its terminal has the size of this one. */
export function useRawTerminal(command: GuestCommand): () => void {
  const { stdin, stdout } = globalThis.process;
  const onResize = () => command.resize({ rows: stdout.rows ?? 24, columns: stdout.columns ?? 80 });
  if (stdin.isTTY) stdin.setRawMode(true);
  stdout.on("resize", onResize);
  return () => {
    if (stdin.isTTY) stdin.setRawMode(false);
    stdout.off("resize", onResize);
  };
}
