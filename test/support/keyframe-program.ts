import { type SpawnSyncReturns, spawnSync } from "node:child_process";

export interface ProgramResult {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the built program as a user would, with nothing of this environment but what is given. */
export function runKeyframe(args: readonly string[], env: Record<string, string>): ProgramResult {
  const result: SpawnSyncReturns<string> = spawnSync(process.execPath, ["dist/keyframe.cjs", ...args], {
    encoding: "utf8",
    env: { PATH: process.env["PATH"] ?? "", ...env },
    timeout: 120_000,
  });
  return { code: result.status, signal: result.signal, stdout: result.stdout, stderr: result.stderr };
}
