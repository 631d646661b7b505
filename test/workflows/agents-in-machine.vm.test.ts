// The whole story with the real Claude Code and Codex, each in a real machine against a scripted model: two turns, a
// commit, a crash of the machine, on from the last moment, two forks with prompts of their own, an owner for every line. Under
// emulation this takes minutes, so it runs where KEYFRAME_STORY is set: npm run test:story.
import { spawn } from "node:child_process";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { sessionKey } from "../../src/authorship/note/keys.ts";
import { findSandbox } from "../../src/sandbox/store/sandbox-store.ts";
import { nodeProcessTable } from "../../src/system/process/process-table.ts";
import {
  type ScriptedEndpoint,
  type ScriptedPrompt,
  startScriptedEndpoint,
} from "../support/agents/scripted-endpoint.ts";
import { agentsImage, buildAgentsImage } from "../support/agents-image.ts";
import { openSandboxLab, type SandboxLab } from "../support/sandbox-context.ts";
import { createTestRepository, keyframeProgram, type TestRepository } from "../support/test-repository.ts";

const key = "the-real-key-of-the-user";
const isStory = Boolean(process.env["KEYFRAME_STORY"]);
let lab: SandboxLab;
let repository: TestRepository;
let endpoint: ScriptedEndpoint | undefined;

beforeAll(() => {
  if (isStory) lab = openSandboxLab(undefined, { home: buildAgentsImage(), image: agentsImage });
});
afterAll(() => lab?.close());
beforeEach(() => {
  if (!isStory) return;
  repository = createTestRepository();
  repository.write("story.txt", "by nobody\n");
  repository.commit("start");
  repository.write("story.txt", "by nobody\nby hand\n");
});
afterEach(async () => {
  await endpoint?.close();
  endpoint = undefined;
  repository?.remove();
});

const env = () => ({
  ...repository.env,
  KEYFRAME_SANDBOX_HOME: lab.context.home.root,
  KEYFRAME_ACCELERATOR: "tcg",
  ANTHROPIC_API_KEY: key,
  ANTHROPIC_BASE_URL: endpoint?.url,
  OPENAI_API_KEY: key,
  OPENAI_BASE_URL: `${endpoint?.url}/v1`,
});

/** The scripted model lives in this process, so what asks it must not block it. */
async function run(...args: string[]) {
  const child = spawn(process.execPath, [keyframeProgram, ...args], {
    cwd: repository.folder,
    env: env(),
    stdio: ["ignore", "pipe", "pipe"],
  });
  const output = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const)
    child[name].setEncoding("utf8").on("data", (piece: string) => {
      output[name] += piece;
    });
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  expect(output.stdout + output.stderr).not.toContain(key);
  return { code, ...output };
}

async function keyframe(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(...args);
  if (code !== 0) throw new Error(`keyframe ${args.join(" ")} ended with ${code}: ${stderr}`);
  return stdout;
}

interface MomentJson {
  readonly id: string;
  readonly title: string;
  readonly worktree?: string;
  readonly sessions: readonly { readonly session: string }[];
  readonly machine?: { readonly run: string; readonly snapshot?: string };
}

/** The turns of one run, newest first. */
async function turnsOf(name: string): Promise<readonly MomentJson[]> {
  const moments = JSON.parse(await keyframe("timeline", "--all", "--json")) as MomentJson[];
  return moments.filter(({ worktree }) => worktree === `machine ${name}`);
}

/** Each line of a file on a branch, with the key of its owner's conversation. */
async function owners(branch: string, path: string): Promise<[string, string | undefined][]> {
  const { blame } = JSON.parse(await keyframe("blame", "--json", branch, "--", path)) as {
    readonly blame: readonly {
      readonly content: string;
      readonly owner: { readonly session?: string } | null;
    }[];
  };
  return blame.map(({ content, owner }) => [content, owner?.session]);
}

/**
 * Waits until a machine's branch has a commit: under emulation a commit with its hooks takes longer than Codex waits for a
 * command, and what it has begun ends with it.
 */
async function committed(name: string, subject: string): Promise<void> {
  const machine = findSandbox(lab.context, name);
  const script = `for try in $(seq 300); do git -C /root/work log -1 --format=%s | grep -qx ${subject} && exit 0; sleep 1; done; exit 1`;
  await lab.sh(machine, script);
}

/** Ends the machine of a run as a crash of its host would. */
async function crash(name: string): Promise<void> {
  const { machine } = findSandbox(lab.context, name);
  if (machine === undefined) throw new Error(`the machine ${name} does not run`);
  nodeProcessTable.signal(machine.process, "SIGKILL");
}

interface Story {
  readonly tool: string;
  /** Words that give a new conversation its prompt, and an old one its next. */
  readonly begin: (prompt: string) => readonly string[];
  readonly goOn: (session: string, prompt: string) => readonly string[];
  /** What a fork's command needs beside. */
  readonly more: readonly string[];
  readonly write: (
    path: string,
    line: string,
  ) => { readonly name: string; readonly input: Record<string, unknown> };
  readonly shell: (command: string) => { readonly name: string; readonly input: Record<string, unknown> };
}

const claudeMayAll = ["--permission-mode", "acceptEdits", "--allowedTools", "Bash Write Edit Read"];
const codexFree = ["--dangerously-bypass-hook-trust", "--dangerously-bypass-approvals-and-sandbox"];

const stories: readonly Story[] = [
  {
    tool: "claude",
    begin: (prompt) => ["claude", "-p", prompt, ...claudeMayAll],
    goOn: (session, prompt) => ["claude", "-p", prompt, ...claudeMayAll, "--resume", session],
    more: ["--allowedTools", "Bash Write Edit Read"],
    write: (path, line) => ({
      name: "Write",
      input: { file_path: `/root/work/${path}`, content: `${line}\n` },
    }),
    shell: (command) => ({ name: "Bash", input: { command, description: "run" } }),
  },
  {
    tool: "codex",
    begin: (prompt) => ["codex", "exec", ...codexFree, prompt],
    goOn: (session, prompt) => ["codex", "exec", "resume", session, ...codexFree, prompt],
    more: codexFree,
    write: (path, line) => ({
      name: "apply_patch",
      input: { text: `*** Begin Patch\n*** Add File: ${path}\n+${line}\n*** End Patch\n` },
    }),
    shell: (command) => ({ name: "exec_command", input: { cmd: command } }),
  },
];

test.skipIf(!isStory).each(stories)(
  "$tool in a machine: two turns, a commit, a crash, on from the last moment, two forks, an owner for every line",
  async ({ tool, begin, goOn, more, write, shell }) => {
    const one = (call: ReturnType<Story["write"]>) => ({ text: "", calls: [call] });
    const whenCommitted = (name: string, subject: string) => ({
      text: "Done.",
      calls: [],
      before: () => committed(name, subject),
    });
    const script: ScriptedPrompt[] = [
      { marker: "FIRST", replies: [one(write("a.txt", "one"))] },
      {
        marker: "SECOND",
        replies: [
          one(
            shell("echo memory > /root/outside.txt; echo two >> a.txt; git add -A && git commit -qm second"),
          ),
          whenCommitted(tool, "second"),
        ],
      },
      {
        marker: "THIRD",
        replies: [
          one(write("half.txt", "half")),
          { text: "", calls: [shell("sleep 600")], before: () => crash(tool) },
        ],
      },
      {
        marker: "ALPHA",
        replies: [
          one(write("b.txt", "alpha")),
          one(shell("git add -A && git commit -qm alpha")),
          whenCommitted(`${tool}-more-1`, "alpha"),
        ],
      },
      {
        marker: "BETA",
        replies: [
          one(write("b.txt", "beta")),
          one(shell("echo beta >> a.txt; git add -A && git commit -qm beta")),
          whenCommitted(`${tool}-more-2`, "beta"),
        ],
      },
    ];
    endpoint = await startScriptedEndpoint(script);
    const before = repository.git("status", "--porcelain");
    const name = ["--name", tool];

    await keyframe("run", "--in", "sandbox", "--image", agentsImage, ...name, "--", ...begin("FIRST"));
    const [first] = await turnsOf(tool);
    const session = first?.sessions[0]?.session ?? "none";
    await keyframe("run", "--in", "sandbox", ...name, "--", ...goOn(session, "SECOND"));
    const by = (id: string | undefined) => sessionKey({ tool, id: id ?? "none" });
    expect(await owners(`keyframe/${tool}`, "a.txt")).toEqual([
      ["one", by(session)],
      ["two", by(session)],
    ]);
    expect(await owners(`keyframe/${tool}`, "story.txt")).toEqual([
      ["by nobody", undefined],
      ["by hand", undefined],
    ]);

    // the machine crashes within a turn: the command says so, and the last moment is whole
    const third = await run("run", "--in", "sandbox", ...name, "--", ...goOn(session, "THIRD"));
    expect(third.code).not.toBe(0);
    const [last] = await turnsOf(tool);
    expect([last?.title, last?.machine]).toEqual([
      "SECOND",
      { run: tool, snapshot: expect.stringMatching(/^sn-/), sizeBytes: expect.any(Number) },
    ]);

    const fork = ["fork", last?.id ?? "", "--in", "sandbox", "--name", `${tool}-more`];
    await keyframe(...fork, "--run", "ALPHA", "--run", "BETA", "--", ...more);
    const [alpha] = await turnsOf(`${tool}-more-1`);
    const [beta] = await turnsOf(`${tool}-more-2`);
    const ids = [session, alpha?.sessions[0]?.session, beta?.sessions[0]?.session];
    expect(new Set(ids).size).toBe(3);
    expect(await owners(`keyframe/${tool}-more-1`, "b.txt")).toEqual([["alpha", by(ids[1])]]);
    expect(await owners(`keyframe/${tool}-more-1`, "a.txt")).toEqual([
      ["one", by(session)],
      ["two", by(session)],
    ]);
    expect(await owners(`keyframe/${tool}-more-2`, "b.txt")).toEqual([["beta", by(ids[2])]]);
    expect(await owners(`keyframe/${tool}-more-2`, "a.txt")).toEqual([
      ["one", by(session)],
      ["two", by(session)],
      ["beta", by(ids[2])],
    ]);

    // a line, its owner, the prompt, the machine of that moment, a file in that machine
    const why = await keyframe("blame", "--json", `keyframe/${tool}`, "--", "a.txt");
    expect(why).toContain(session);
    const moments = await turnsOf(tool);
    const ofPrompt = moments.find(({ title }) => title === "SECOND");
    expect(await inSnapshot(ofPrompt?.machine?.snapshot ?? "", "cat /root/outside.txt; ls /root/work")).toBe(
      "memory\na.txt\nstory.txt",
    );

    // the user's key was shown to the model, and nothing else was; no machine holds it
    expect([...endpoint.keys]).toEqual([key]);
    expect(
      await inSnapshot(
        ofPrompt?.machine?.snapshot ?? "",
        `grep -rl ${key} /root /etc /tmp /proc/*/environ 2>/dev/null; true`,
      ),
    ).toBe("");
    expect(repository.git("status", "--porcelain")).toBe(before);
  },
);

/** What a command prints in a machine that goes on from a snapshot. */
async function inSnapshot(snapshot: string, script: string): Promise<string> {
  const started = JSON.parse(await keyframe("sandbox", "run", snapshot, "--json")) as { readonly id: string };
  try {
    return await lab.sh(findSandbox(lab.context, started.id), script);
  } finally {
    await keyframe("sandbox", "rm", started.id);
  }
}
