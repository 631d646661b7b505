import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { bundleChildProgram } from "./child-program.ts";

/** A real git server on the loopback interface; what it sends is counted. */
export interface GitServer {
  /** The directory's repositories are below it. */
  readonly url: string;
  /** What clients have received, and in how many requests (HTTP) or connections, since the last call. */
  takeTraffic(): Promise<{ readonly sent: number; readonly requests: number }>;
  close(): Promise<void>;
}

/** `git http-backend` behind a small CGI server, or `git daemon`. */
export async function startGitServer(kind: "http" | "daemon", folder: string): Promise<GitServer> {
  const program = bundleChildProgram(fileURLToPath(new URL("git-server-program.ts", import.meta.url)));
  const child = fork(program.path, [kind, folder], { stdio: "inherit" });
  const [{ port }] = (await once(child, "message")) as [{ port: number }];
  return {
    url: `${kind === "http" ? "http" : "git"}://127.0.0.1:${port}`,
    async takeTraffic() {
      child.send({});
      const [traffic] = (await once(child, "message")) as [{ sent: number; requests: number }];
      return traffic;
    },
    async close() {
      const ended = once(child, "exit");
      child.disconnect();
      await ended;
      program.remove();
    },
  };
}
