import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";

export interface Zombie {
  readonly pid: number;
  readonly end: () => void;
}

/**
 * A process that has ended and whose parent does not ask for its exit code, as it happens under a container's first
 * program that is no init. `command` runs in a shell and ends by itself.
 */
export async function makeZombie(
  command = "true",
  options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<Zombie> {
  // the shell that started it becomes a sleep, which reaps nothing; before that the shell would, so it waits for it
  const parentSleeps = "until ps -o comm= -p $$ | grep -q 'sleep$'; do :; done";
  const parent: ChildProcess = spawn(
    "sh",
    ["-c", `(${parentSleeps}; ${command}) </dev/null >&2 & echo $!; exec sleep 300`],
    {
      ...options,
      stdio: ["ignore", "pipe", "ignore"],
    },
  );
  if (parent.stdout === null) throw new Error("the parent has no output");
  const { value } = await createInterface({ input: parent.stdout })[Symbol.asyncIterator]().next();
  const pid = Number(value);
  await untilEnded(pid);
  return { pid, end: () => void parent.kill("SIGKILL") };
}

async function untilEnded(pid: number): Promise<void> {
  const { createProcSource, createPsSource } = await import("../../src/system/process/process-source.ts");
  const source = process.platform === "linux" ? createProcSource() : createPsSource();
  while (source.lookUp(pid)?.isZombie === false) await new Promise((resolve) => setTimeout(resolve, 5));
}
