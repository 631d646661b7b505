import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { onTestFinished } from "vitest";

export interface RunningCommand {
  /** The first line that it printed. */
  readonly firstLine: string;
  readonly child: ChildProcess;
  /** SIGTERM, then its exit code. */
  stop(): Promise<number | null>;
}

/** Starts the built command line and waits for its first line; it is stopped when the test ends. */
export async function startKeyframe(
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<RunningCommand> {
  const child = spawn(process.execPath, ["dist/keyframe.cjs", ...args], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const exited = once(child, "exit");
  onTestFinished(async () => {
    // politely, so that what it mounted goes too
    child.kill("SIGTERM");
    const impatience = setTimeout(() => child.kill("SIGKILL"), 10_000);
    await exited;
    clearTimeout(impatience);
  });
  let errors = "";
  child.stderr.on("data", (piece: Buffer) => {
    errors += piece.toString();
  });
  let output = "";
  const firstLine = await new Promise<string>((resolve, reject) => {
    child.stdout.on("data", (piece: Buffer) => {
      output += piece.toString();
      const end = output.indexOf("\n");
      if (end >= 0) resolve(output.slice(0, end));
    });
    exited.then(([code]) => reject(new Error(`keyframe ended with ${code}: ${errors}`))).catch(reject);
  });
  return {
    firstLine,
    child,
    async stop() {
      child.kill("SIGTERM");
      const [code] = await exited;
      return code;
    },
  };
}
