import { exactOutput } from "../output/terminal.ts";
import type { CliContext } from "./context.ts";

/** Where a long result goes: standard output, or on a terminal the user's pager. */
export interface PagedOutput {
  /** Whole lines; cleaned on a terminal. Resolves when the reader keeps up; false when it has gone away and more is pointless. */
  write(content: string | Uint8Array): Promise<boolean>;
  /** Waits until the user leaves the pager. */
  close(): Promise<void>;
}

/** Chooses the pager as git does for `git <command>`: pager.<command>, GIT_PAGER, core.pager, PAGER, less. */
export async function openPagedOutput(context: CliContext, command: string): Promise<PagedOutput> {
  // whatever writes through here is git's text, or holds what others wrote
  const shown = (content: string | Uint8Array) => exactOutput(context.terminal, Buffer.from(content));
  const pager = context.terminal.isInteractive ? await choosePager(context, command) : undefined;
  if (pager === undefined) {
    return {
      write: (content) =>
        new Promise((resolve) => context.process.stdout.write(shown(content), () => resolve(true))),
      close: () => Promise.resolve(),
    };
  }
  const child = context.processes.attach("sh", ["-c", pager], {
    cwd: context.cwd,
    // what git sets for its own pager, unless the user did
    env: { LESS: "FRX", LV: "-c", ...context.env, GIT_PAGER_IN_USE: "true" },
    stdin: "pipe",
  });
  let open = true;
  child.stdin?.on("error", () => {
    open = false; // the user left the pager: the rest is not wanted
  });
  return {
    write: (content) =>
      new Promise((resolve) => {
        if (!open || child.stdin === undefined) return resolve(false);
        child.stdin.write(shown(content), () => resolve(open));
      }),
    async close() {
      child.stdin?.end();
      await child.exited;
    },
  };
}

async function choosePager(context: CliContext, command: string): Promise<string | undefined> {
  const ask = async (args: readonly string[]) => {
    const { code, stdout } = await context.processes.run("git", args, { cwd: context.cwd, env: context.env });
    return code === 0 ? stdout.toString("utf8").trim() : undefined;
  };
  const [configured, general] = await Promise.all([
    ask(["config", "--get", `pager.${command}`]),
    ask(["var", "GIT_PAGER"]),
  ]);
  if (configured !== undefined && /^(false|no|off|0)$/i.test(configured)) return undefined;
  const named = configured !== undefined && !/^(true|yes|on|1|)$/i.test(configured) ? configured : general;
  return named === undefined || named === "" || named === "cat" ? undefined : named;
}
