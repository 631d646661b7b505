import { spawnSync } from "node:child_process";
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type AgentSession, startAgentSession } from "../agent-session.ts";
import { keyframeProgram, type TestRepository } from "../test-repository.ts";

/** One clone and the agent at work in it. */
export class Place {
  readonly name: string;
  readonly repository: TestRepository;
  session: AgentSession;
  turns = 0;
  /** The next program is killed with everything it started after so many milliseconds. */
  killAfterMs: number | undefined;

  constructor(name: string, repository: TestRepository) {
    this.name = name;
    this.repository = repository;
    this.session = startAgentSession(repository, `${name}-0`);
  }

  /** Hooks in a process each, which may be killed: a killed one says nothing, and the agent goes on. */
  sessionWithPrograms(): AgentSession {
    const keyframe: TestRepository["keyframe"] = (args, options) => {
      if (this.killAfterMs === undefined) this.repository.keyframe(args, options);
      else this.#run(process.execPath, [keyframeProgram, ...args], String(options?.stdin ?? ""));
      return { code: 0, stdout: "", stderr: "", bytes: Buffer.alloc(0) };
    };
    return startAgentSession({ ...this.repository, keyframe }, this.session.id, { through: "program" });
  }

  keyframe(...args: string[]): number {
    return this.#run(process.execPath, [keyframeProgram, ...args]).status ?? -1;
  }

  /** The exit code. What git says, and whether it can, is not looked at: people run into conflicts as well. */
  git(...args: string[]): number {
    return this.#run("git", args).status ?? -1;
  }

  read(...args: string[]): string {
    return this.#spawn("git", args).stdout.trim();
  }

  #run(program: string, args: readonly string[], input = "") {
    const { killAfterMs } = this;
    if (killAfterMs === undefined) return this.#spawn(program, args, input);
    this.killAfterMs = undefined;
    const result = this.#spawn("timeout", ["-s", "KILL", `${killAfterMs / 1000}`, program, ...args], input);
    removeGitLocks(join(this.repository.folder, ".git"));
    return result;
  }

  #spawn(program: string, args: readonly string[], input = "") {
    const { folder: cwd, env } = this.repository;
    return spawnSync(program, args, { cwd, env, input, encoding: "utf8", maxBuffer: 1 << 28 });
  }
}

/** What git asks people to remove when a git was killed. */
export function removeGitLocks(gitDirectory: string): void {
  for (const name of readdirSync(gitDirectory, { recursive: true, encoding: "utf8" })) {
    if (name.endsWith(".lock") && !name.startsWith("keyframe/")) rmSync(join(gitDirectory, name));
  }
}
