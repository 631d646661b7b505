import { join } from "node:path";
import { must } from "../../base/assert.ts";
import { KeyframeError } from "../../base/errors.ts";
import { shellQuote } from "../../base/text/shell-words.ts";
import { nodeClock } from "../../system/clock.ts";
import type { CliContext } from "../command/context.ts";
import {
  claudeSession,
  codexSession,
  type RecordedPayload,
  type RecordedSession,
} from "./recorded-session.ts";
import { toldLines } from "./told-lines.ts";

/** `keyframe demo`: everything is done by the programs that a user would run, git and keyframe. */
export async function demo(this: CliContext, flags: { readonly keep?: boolean }): Promise<void> {
  const root = this.files.makeTemporaryFolder("keyframe-demo-");
  try {
    await play(this, join(root, "repository"), join(root, "transcripts"));
    if (flags.keep) tellOfRepository(this, join(root, "repository"));
  } finally {
    if (flags.keep !== true) this.files.removeTree(root);
  }
}

function tellOfRepository({ terminal }: CliContext, repository: string): void {
  terminal.out(`\nThe repository is ${repository}`);
  terminal.out(`Find the prompt of a line in it: cd ${shellQuote(repository)} && keyframe web`);
}

async function play(context: CliContext, repository: string, transcripts: string): Promise<void> {
  const { files } = context;
  const stage = openStage(context, { cwd: repository, transcripts });
  files.makeFolder(repository);
  files.makeFolder(transcripts);

  stage.explain("Dana starts a repository and turns Keyframe on in it.");
  await stage.git("init", "--quiet", "--initial-branch=main");
  files.replace(join(repository, "CHANGES.md"), Buffer.from("# Changes\n\n- first sketch\n"));
  await stage.git("add", "--all");
  await stage.git("commit", "--quiet", "--message", "First sketch");
  await stage.show("enable", "--agent", "claude,codex");

  const claude = claudeSession(repository, transcripts);
  stage.explain(`${claude.title} is asked: "${claude.prompt}". Its hooks tell Keyframe of every edit.`);
  await playSession(stage, files, claude);

  stage.explain("Dana adds a line by hand; the editor tells Keyframe that it was a person.");
  const path = join(repository, "slug.js");
  files.append(path, Buffer.from('\nexport const home = slug("Home page");\n'));
  await stage.show("checkpoint", "known_human", "slug.js");

  const codex = codexSession(repository, transcripts);
  stage.explain(`${codex.title} is asked in the same files: "${codex.prompt}".`);
  await playSession(stage, files, codex);

  stage.explain("Nothing is committed yet: this is what waits, and for whom.");
  await stage.show("status");

  stage.explain("Dana commits with git as always; the git hook writes the note refs/notes/ai.");
  await stage.git("add", "--all");
  await stage.git("commit", "--quiet", "--message", "Turn titles into URL parts");
  await stage.show("blame", "slug.js");
  await stage.show("blame", "CHANGES.md");

  stage.explain("Whose lines the commit is made of; what nobody saw is unknown, never guessed.");
  await stage.show("stats", "HEAD");
  await goBack(stage, claude.prompt);
}

/** Every turn can be gone back to and forked. */
async function goBack(stage: Stage, prompt: string): Promise<void> {
  stage.explain("Every turn and commit is a moment, with its files, owners and conversation.");
  await stage.show("timeline");

  stage.explain("Was Codex a mistake? A fork continues from before it, in a worktree of its own.");
  const moment = await findTurn(stage, prompt);
  await stage.show("fork", moment, "--name", "before-codex");

  stage.explain("Or the files go back right here. That is a moment too, so it can be undone.");
  await stage.show("rewind", "--to", moment);
  await stage.show("rewind", "--undo");
}

/** The id of the turn that had a prompt. */
async function findTurn(stage: Stage, prompt: string): Promise<string> {
  const moments = JSON.parse(await stage.keyframe(["timeline", "--json"], "")) as readonly {
    readonly id: string;
    readonly title: string;
  }[];
  return must(moments.find(({ title }) => title === prompt)?.id, "the turn has a moment");
}

async function playSession(
  stage: Stage,
  files: CliContext["files"],
  { agent, payloads }: RecordedSession,
): Promise<void> {
  for (const payload of payloads) {
    const isEnd = payload.hook_event_name === "PostToolUse";
    // between the hook before a call and the one after it, the tool does its work
    if (isEnd) await useTool(stage, files, payload);
    stage.tell(payload.transcript_path, toldLines(agent, payload, stage.now()));
    await stage.keyframe(["hook", agent], JSON.stringify(payload));
    const { tool_name: tool, tool_input: input } = payload;
    if (isEnd) stage.narrate(agent, `${tool} ${tool === "Bash" ? input?.command : "slug.js"}`);
  }
}

interface Stage {
  explain(text: string): void;
  /** Writes to an agent's transcript. */
  tell(path: string, lines: readonly object[]): void;
  now(): string;
  /** Where the repository is. */
  readonly folder: string;
  narrate(agent: string, text: string): void;
  git(...args: readonly string[]): Promise<void>;
  shell(command: string): Promise<void>;
  keyframe(args: readonly string[], stdin: string): Promise<string>;
  /** Runs a command of Keyframe and prints it with what it says. */
  show(...args: readonly string[]): Promise<void>;
}

function openStage(
  context: CliContext,
  { cwd, transcripts }: { readonly cwd: string; readonly transcripts: string },
): Stage {
  const { terminal, processes, program } = context;
  const env = {
    ...stageEnvironment(context),
    KEYFRAME_TRANSCRIPTS: transcripts,
    XDG_CACHE_HOME: join(transcripts, "../cache"),
    // a fork's conversation goes where its agent would look for it
    CLAUDE_CONFIG_DIR: join(transcripts, "../claude"),
    CODEX_HOME: join(transcripts, "../codex"),
  };
  let step = 0;
  async function run(name: string, args: readonly string[], stdin = ""): Promise<string> {
    const result = await processes.run(name, args, { cwd, env, stdin });
    if (result.code === 0) return result.stdout.toString("utf8");
    throw new KeyframeError("program-failed", `${name} ${args.join(" ")} failed: ${result.stderr.trim()}`);
  }
  const stage: Stage = {
    folder: cwd,
    explain(text) {
      step += 1;
      terminal.out(`\n${terminal.style("bold", `${step}. ${text}`)}`);
    },
    tell: (path, lines) =>
      context.files.append(path, Buffer.from(lines.map((line) => `${JSON.stringify(line)}\n`).join(""))),
    now: () => new Date(nodeClock.nowMs()).toISOString(),
    narrate: (agent, text) => terminal.out(terminal.style("dim", `   ${agent}: ${text}`)),
    git: async (...args) => void (await run("git", args)),
    shell: async (command) => void (await run("sh", ["-c", command])),
    keyframe: (args, stdin) => run(program.node, [program.entry, ...args], stdin),
    async show(...args) {
      terminal.out(terminal.style("cyan", `   $ keyframe ${args.join(" ")}`));
      const text = await stage.keyframe(args, "");
      for (const line of text.trimEnd().split("\n")) terminal.out(`   ${line}`);
    },
  };
  return stage;
}

/** The user's settings for git, and hooks they may name, have no part in the play. */
function stageEnvironment({ env, terminal }: CliContext): NodeJS.ProcessEnv {
  const kept = Object.entries(env).filter(([name]) => !name.startsWith("GIT_"));
  const person = { NAME: "Dana", EMAIL: "dana@example.com" };
  return {
    ...Object.fromEntries(kept),
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_AUTHOR_NAME: person.NAME,
    GIT_AUTHOR_EMAIL: person.EMAIL,
    GIT_COMMITTER_NAME: person.NAME,
    GIT_COMMITTER_EMAIL: person.EMAIL,
    COLUMNS: String(Math.max(40, terminal.columns - 3)),
    ...(terminal.isInteractive ? { FORCE_COLOR: "1" } : {}),
  };
}

async function useTool(stage: Stage, files: CliContext["files"], payload: RecordedPayload): Promise<void> {
  const { file_path: path = "", content, old_string, new_string = "", command } = payload.tool_input ?? {};
  if (payload.tool_name === "apply_patch") return applyPatch(stage, files, command ?? "");
  if (command !== undefined) return stage.shell(command);
  if (content !== undefined) return files.replace(path, Buffer.from(content));
  replaceText(files, path, { from: must(old_string, "an edit has an old text"), to: new_string });
}

/** As far as the recorded patch needs it: one file, one place. */
function applyPatch({ folder }: Stage, files: CliContext["files"], patch: string): void {
  const [, name = ""] = /^\*\*\* Update File: (.*)$/m.exec(patch) ?? [];
  const linesOf = (sign: RegExp) => patch.split("\n").flatMap((line) => sign.exec(line)?.[1] ?? []);
  const [from, to] = [/^-(.*)/, /^\+(.*)/].map((sign) => linesOf(sign).join("\n"));
  replaceText(files, join(folder, name), { from: must(from, "a patch takes lines away"), to: to ?? "" });
}

function replaceText(
  files: CliContext["files"],
  path: string,
  { from, to }: { readonly from: string; readonly to: string },
): void {
  const text = files.read(path).toString("utf8");
  files.replace(path, Buffer.from(text.replace(from, () => to)));
}
