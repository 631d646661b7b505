import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { keyframeProgram, type TestRepository } from "./test-repository.ts";

export interface PageServer {
  /** With the token behind `#`, where there is one. */
  readonly url: string;
  stop(): void;
}

/** `keyframe web` over a repository, until it is stopped. */
export async function startPageServer(
  repository: Pick<TestRepository, "folder" | "env">,
  ...args: string[]
): Promise<PageServer> {
  const child: ChildProcessWithoutNullStreams = spawn(
    process.execPath,
    [keyframeProgram, "web", "open", "--no-open", ...args],
    { cwd: repository.folder, env: repository.env },
  );
  let output = "";
  for await (const chunk of child.stdout) {
    output += String(chunk);
    if (output.includes("\n")) break;
  }
  return { url: output.trim(), stop: () => child.kill("SIGTERM") };
}
