import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { createTestRepository, type TestRepository } from "../test-repository.ts";
import { type RealAgent, type RunResult, runRealAgent, type ScriptedRun } from "./real-agent.ts";

/** Who a line belongs to, as a conformance scenario tells it. */
export type LineOwner = "agent" | "person" | "unknown";

interface BlamedLine {
  readonly content: string;
  readonly owner: {
    readonly kind: string;
    readonly tool?: string;
    readonly conversation?: string;
    readonly model?: string;
  } | null;
}

/** The metadata that a checkpoint keeps of one conversation, and its transcript. */
export interface KeptSession {
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly prompts: string;
  readonly transcript: string;
}

/** One repository in which an agent plays all sessions of the suite, one after the other. */
export class ConformanceWorld {
  readonly repository: TestRepository = createTestRepository();
  readonly agent: RealAgent;
  /** The conversation that a session was, by the session's name. */
  readonly conversations = new Map<string, string>();

  constructor(agent: RealAgent) {
    this.agent = agent;
  }

  /** Beside the repository, where no hook of it looks. */
  beside(name: string): string {
    return join(this.repository.folder, "..", name);
  }

  at(path: string): string {
    return join(this.repository.folder, path);
  }

  connect(agent: RealAgent = this.agent): void {
    const words = agent.isHomeOnly === true ? ["--global", "--agent"] : ["--agent"];
    expect(this.keyframe(["enable", "--agent", "claude"]).code).toBe(0);
    const result = this.keyframe(["enable", ...words, agent.name]);
    expect([result.code, result.stderr]).toEqual([0, expect.anything()]);
  }

  keyframe(args: readonly string[], cwd: string = this.repository.folder) {
    return this.repository.keyframe(args, { cwd });
  }

  run(
    scripted: Omit<ScriptedRun, "agent" | "cwd" | "env"> & { readonly agent?: RealAgent },
  ): Promise<RunResult> {
    const { folder, env } = this.repository;
    return runRealAgent({ agent: this.agent, cwd: folder, env, ...scripted });
  }

  blame(path: string, cwd?: string): readonly BlamedLine[] {
    const { stdout, stderr } = this.keyframe(["blame", "--json", path], cwd);
    if (stdout === "") throw new Error(stderr);
    return (JSON.parse(stdout) as { blame: readonly BlamedLine[] }).blame;
  }

  conversationOf(path: string): string | undefined {
    return this.blame(path).find(({ owner }) => owner?.kind === "agent")?.owner?.conversation;
  }

  /** Each line with its owner; any agent, conversation or model but the expected ones is an error. */
  owners(
    path: string,
    session: string,
    { cwd, agent = this.agent }: { readonly cwd?: string; readonly agent?: RealAgent } = {},
  ): [string, LineOwner][] {
    const conversation = this.conversations.get(session);
    return this.blame(path, cwd).map(({ content, owner }) => {
      if (owner?.kind !== "agent") return [content, owner?.kind === "human" ? "person" : "unknown"];
      const { tool, model } = owner;
      expect([path, tool, owner.conversation, model]).toEqual([path, agent.name, conversation, agent.model]);
      return [content, "agent"];
    });
  }

  /** What the last checkpoint of HEAD keeps of a conversation. */
  keptSession(conversation: string): KeptSession {
    const { repository } = this;
    const trailers = repository.git("log", "--format=%(trailers:key=Entire-Checkpoint,valueonly)");
    for (const id of trailers.split("\n").filter((line) => line !== "")) {
      const folder = `${id.slice(0, 2)}/${id.slice(2)}`;
      const show = (path: string) => repository.git("show", `entire/checkpoints/v1:${folder}/${path}`);
      const { sessions } = JSON.parse(show("metadata.json")) as { sessions: readonly unknown[] };
      for (const index of sessions.keys()) {
        const metadata = JSON.parse(show(`${index}/metadata.json`)) as Record<string, unknown>;
        if (metadata["session_id"] !== conversation) continue;
        const kept = repository.git("ls-tree", "--name-only", `entire/checkpoints/v1:${folder}/${index}`);
        const pieces = kept.split("\n").filter((name) => name.startsWith("full.jsonl"));
        const transcript = pieces.map((name) => show(`${index}/${name}`)).join("");
        return { metadata, prompts: show(`${index}/prompt.txt`), transcript };
      }
    }
    throw new Error(`no checkpoint holds the conversation ${conversation}`);
  }

  problems(): readonly unknown[] {
    const { stdout } = this.keyframe(["status", "--json"]);
    return (JSON.parse(stdout) as { problems: readonly unknown[] }).problems;
  }

  remove(): void {
    this.repository.remove();
  }
}

/** Waits until another program has made a file. @throws Error if it takes longer */
export async function fileAppears(path: string, longestMs = 30_000): Promise<void> {
  const end = Date.now() + longestMs;
  while (Date.now() < end) {
    if (existsSync(path)) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${path} did not appear`);
}
