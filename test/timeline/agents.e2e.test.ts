// The whole story in worktrees with real agents: run, commit, kill, go on from the last moment, fork into two.
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { sessionKey } from "../../src/authorship/note/keys.ts";
import { installPackage } from "../support/agents/install-package.ts";
import { writeAgentSettings } from "../support/agents/real-agent.ts";
import { realAgents } from "../support/agents/real-agents.ts";
import { startScriptedEndpoint } from "../support/agents/scripted-endpoint.ts";
import { installClaude, isOffline } from "../support/real-claude.ts";
import { type ModelBlock, type ScriptedModel, startScriptedModel } from "../support/scripted-model.ts";
import { createTestRepository, keyframeProgram, type TestRepository } from "../support/test-repository.ts";

let repository: TestRepository;
beforeEach(() => {
  repository = createTestRepository();
  repository.write("story.txt", "by nobody\n");
  repository.commit("start");
  repository.write("story.txt", "by nobody\nby hand\n");
});
afterEach(() => repository.remove());

const worktree = (name: string) => join(repository.folder, "..", "work.forks", name);

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The scripted model lives in this process, so what asks it must not block it. */
function start(
  program: string,
  args: readonly string[],
  { cwd, env }: { readonly cwd: string; readonly env: NodeJS.ProcessEnv },
) {
  const child = spawn(program, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
  const output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const)
    child[name].setEncoding("utf8").on("data", (piece: string) => {
      output[name] += piece;
    });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, ...output }));
  });
  return { child, ended };
}

async function keyframe(env: NodeJS.ProcessEnv, cwd: string, ...args: string[]): Promise<string> {
  const { ended } = start(process.execPath, [keyframeProgram, ...args], { cwd, env });
  const { code, stdout, stderr } = await ended;
  if (code !== 0) throw new Error(`keyframe ${args.join(" ")} ended with ${code}: ${stderr}`);
  return stdout;
}

interface MomentJson {
  readonly id: string;
  readonly kind: string;
  readonly title: string;
}

interface ForkJson {
  readonly name: string;
  readonly path: string;
  readonly owned: readonly string[];
  readonly sessions: readonly { readonly session: string; readonly parent: string }[];
  readonly ran: { readonly session: string; readonly code: number; readonly recorded: boolean };
}

/** Each line of a file with the key of its owner's conversation. */
async function owners(
  env: NodeJS.ProcessEnv,
  cwd: string,
  path: string,
): Promise<[string, string | undefined][]> {
  const { blame } = JSON.parse(await keyframe(env, cwd, "blame", "--json", path)) as {
    readonly blame: readonly {
      readonly content: string;
      readonly owner: { readonly session?: string } | null;
    }[];
  };
  return blame.map(({ content, owner }) => [content, owner?.session]);
}

const by = (tool: string, id = "none") => sessionKey({ tool, id });

async function turnCalled(env: NodeJS.ProcessEnv, cwd: string, title: string): Promise<string> {
  const moments = JSON.parse(await keyframe(env, cwd, "timeline", "--json")) as MomentJson[];
  return moments.find((moment) => moment.kind === "turn" && moment.title === title)?.id ?? "none";
}

describe.skipIf(isOffline)("real agents in worktrees", () => {
  const say = (text: string): ModelBlock => ({ type: "text", text });
  const tool = (name: string, input: object) => ({ type: "tool_use", name, input }) as ModelBlock;
  const bash = (command: string) => tool("Bash", { command, description: "run" });
  let model: ScriptedModel | undefined;
  afterEach(async () => {
    await model?.close();
    model = undefined;
  });

  test("Claude Code: two turns, a commit, a kill, on from the last moment, two forks, an owner for every line", async () => {
    const bin = join(repository.folder, "..", "bin");
    mkdirSync(bin);
    symlinkSync(installClaude(), join(bin, "claude"));
    mkdirSync(join(repository.env["HOME"] ?? "", ".claude"));
    writeFileSync(
      join(repository.env["HOME"] ?? "", ".claude/settings.json"),
      JSON.stringify({ permissions: { allow: ["Bash", "Write", "Edit", "Read"] } }),
    );
    expect(repository.keyframe(["enable", "--agent", "claude"]).code).toBe(0);
    const write = (name: string, path: string, content: string) =>
      tool("Write", { file_path: join(worktree(name), path), content });
    model = await startScriptedModel([
      { marker: "FIRST", replies: [[write("feature", "a.txt", "one\n")], [say("Did it.")]] },
      {
        marker: "SECOND",
        replies: [[bash("echo two >> a.txt && git add -A && git commit -qm 'by the agent'")], [say("Done.")]],
      },
      { marker: "THIRD", replies: [[write("feature", "half.txt", "half\n")], [bash("sleep 600")]] },
      { marker: "FOURTH", replies: [[write("feature", "whole.txt", "whole\n")], [say("Whole.")]] },
      {
        marker: "ALPHA",
        replies: [[bash("echo alpha >> a.txt && git add -A && git commit -qm alpha")], [say("Alpha.")]],
      },
      {
        marker: "BETA",
        replies: [
          [write("retry-2", "b.txt", "beta\n")],
          [bash("git add -A && git commit -qm beta")],
          [say("Beta.")],
        ],
      },
    ]);
    const env = {
      ...repository.env,
      PATH: `${bin}:${repository.env["PATH"]}`,
      TERM: "dumb",
      ANTHROPIC_BASE_URL: model.url,
      ANTHROPIC_API_KEY: "not-a-key",
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
      DISABLE_AUTOUPDATER: "1",
    };
    const before = repository.git("status", "--porcelain");

    const printed = await keyframe(
      env,
      repository.folder,
      "run",
      "--name",
      "feature",
      "--",
      "claude",
      "-p",
      "FIRST",
      "--output-format",
      "json",
    );
    const session = (JSON.parse(printed) as { session_id: string }).session_id;
    const there = worktree("feature");
    expect(readFileSync(join(there, "story.txt"), "utf8")).toBe("by nobody\nby hand\n");
    const second = await start("claude", ["-p", "SECOND", "--resume", session], { cwd: there, env }).ended;
    expect([second.code, second.stderr]).toEqual([0, ""]);
    expect(await owners(env, there, "a.txt")).toEqual([
      ["one", by("claude", session)],
      ["two", by("claude", session)],
    ]);

    const third = start("claude", ["-p", "THIRD", "--resume", session], { cwd: there, env });
    while (!existsSync(join(there, "half.txt")) && third.child.exitCode === null)
      await new Promise((resolve) => setTimeout(resolve, 50));
    third.child.kill("SIGKILL");
    await third.ended;

    const last = await turnCalled(env, there, "SECOND");
    const forks = JSON.parse(
      await keyframe(
        env,
        there,
        "fork",
        last,
        "--name",
        "retry",
        "--run",
        "ALPHA",
        "--run",
        "BETA",
        "--json",
      ),
    ) as ForkJson[];
    const [alpha, beta] = forks.map(({ ran }) => ran);
    expect(forks.map(({ ran, sessions }) => [ran.code, ran.session === sessions[0]?.session])).toEqual([
      [0, true],
      [0, true],
    ]);
    expect(new Set([session, alpha?.session, beta?.session]).size).toBe(3);
    expect(await owners(env, worktree("retry-1"), "a.txt")).toEqual([
      ["one", by("claude", session)],
      ["two", by("claude", session)],
      ["alpha", by("claude", alpha?.session)],
    ]);
    expect(await owners(env, worktree("retry-2"), "b.txt")).toEqual([["beta", by("claude", beta?.session)]]);
    expect(await owners(env, worktree("retry-2"), "story.txt")).toEqual([
      ["by nobody", undefined],
      ["by hand", undefined],
    ]);
    expect(existsSync(join(worktree("retry-1"), "half.txt"))).toBe(false);

    // in place, what the killed turn left is put away, and can be had back
    await keyframe(env, there, "rewind", "--to", last);
    expect(existsSync(join(there, "half.txt"))).toBe(false);
    const fourth = await start("claude", ["-p", "FOURTH", "--resume", session], { cwd: there, env }).ended;
    expect(fourth.code).toBe(0);
    repository.git("-C", there, "add", "-A");
    repository.git("-C", there, "commit", "-qm", "by a person");
    expect(await owners(env, there, "whole.txt")).toEqual([["whole", by("claude", session)]]);
    expect(repository.git("status", "--porcelain")).toBe(before);
  });

  test("Codex: a run in a worktree, and two forks that go on with prompts of their own", async () => {
    const codex = realAgents.find(({ name }) => name === "codex");
    if (codex === undefined) throw new Error("the agent is not listed");
    const folder = installPackage(codex.packageName, codex.version);
    expect(repository.keyframe(["enable", "--agent", "codex"]).code).toBe(0);
    const add = (path: string, line: string) => ({
      name: "apply_patch",
      input: { text: `*** Begin Patch\n*** Add File: ${path}\n+${line}\n*** End Patch\n` },
    });
    const commit = { name: "exec_command", input: { cmd: "git add -A && git commit -qm codex" } };
    const endpoint = await startScriptedEndpoint([
      { marker: "FIRST", replies: [{ text: "", calls: [add("a.txt", "one")] }] },
      {
        marker: "ALPHA",
        replies: [
          { text: "", calls: [add("b.txt", "alpha")] },
          { text: "", calls: [commit] },
        ],
      },
      {
        marker: "BETA",
        replies: [
          { text: "", calls: [add("b.txt", "beta")] },
          { text: "", calls: [commit] },
        ],
      },
    ]);
    try {
      const home = repository.env["HOME"] ?? "";
      // the user trusts the project; its worktrees follow
      writeAgentSettings(codex, { url: endpoint.url, cwd: repository.folder, home });
      const env = {
        ...repository.env,
        ...codex.env({ url: endpoint.url, cwd: worktree("codex"), home, prompt: "" }),
        PATH: `${dirname(join(folder, codex.program))}:${repository.env["PATH"]}`,
        TERM: "dumb",
      };
      const free = ["--dangerously-bypass-hook-trust", "--dangerously-bypass-approvals-and-sandbox"];
      await keyframe(env, repository.folder, "run", "--", "codex", "exec", ...free, "FIRST");
      const first = await turnCalled(env, worktree("codex"), "FIRST");
      const forks = JSON.parse(
        await keyframe(
          env,
          worktree("codex"),
          "fork",
          first,
          "--name",
          "retry",
          "--run",
          "ALPHA",
          "--run",
          "BETA",
          "--json",
          "--",
          ...free,
        ),
      ) as ForkJson[];
      for (const [index, word] of ["alpha", "beta"].entries()) {
        const fork = forks[index];
        expect([fork?.ran.code, fork?.ran.recorded, fork?.owned]).toEqual([0, true, ["a.txt"]]);
        expect(await owners(env, fork?.path ?? "", "b.txt")).toEqual([
          [word, by("codex", fork?.ran.session)],
        ]);
        expect(await owners(env, fork?.path ?? "", "a.txt")).toEqual([
          ["one", by("codex", fork?.sessions[0]?.parent)],
        ]);
      }
      expect(new Set(forks.map(({ ran }) => ran.session)).size).toBe(2);
    } finally {
      await endpoint.close();
    }
  });
});
