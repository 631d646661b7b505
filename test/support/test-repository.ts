import { type ExecFileSyncOptions, execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The program that `npm run build` makes. */
export const keyframeProgram = fileURLToPath(new URL("../../dist/keyframe.cjs", import.meta.url));

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  /** As bytes, for content that is not UTF-8. */
  readonly bytes: Buffer;
  readonly stderr: string;
}

/** A repository in a temporary directory with its own home: nothing of the user's configuration or clock reaches it. */
export interface TestRepository {
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
  /** Runs git and returns its output without the last newline. */
  git(...args: string[]): string;
  gitBytes(args: readonly string[], options?: ExecFileSyncOptions): Buffer;
  readonly write: (path: string, content: string | Buffer) => void;
  /** Commits everything, one minute after the commit before; returns its id. */
  commit(message: string): string;
  /** Attaches an authorship note as another tool would. */
  note(commit: string, text: string): void;
  keyframe(
    args: readonly string[],
    options?: { readonly cwd?: string; readonly stdin?: string | Buffer },
  ): CommandResult;
  remove(): void;
}

const startSeconds = Date.UTC(2026, 0, 2, 3, 4, 5) / 1000;

/** `cloneOf`: a clone of that repository instead of an empty one. */
export function createTestRepository({ cloneOf }: { readonly cloneOf?: string } = {}): TestRepository {
  const root = mkdtempSync(join(tmpdir(), "kf-repo-"));
  const folder = join(root, "work");
  const home = join(root, "home");
  mkdirSync(folder);
  mkdirSync(home);
  const env: NodeJS.ProcessEnv = {
    PATH: process.env["PATH"],
    HOME: home,
    XDG_CONFIG_HOME: home,
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_AUTHOR_NAME: "Ann Müller",
    GIT_AUTHOR_EMAIL: "ann@example.com",
    GIT_COMMITTER_NAME: "Ann Müller",
    GIT_COMMITTER_EMAIL: "ann@example.com",
    TZ: "UTC",
    LC_ALL: "C.UTF-8",
    COLUMNS: "100",
  };
  let commits = 0;
  const dated = () => {
    const date = `${startSeconds + commits * 60} +0100`;
    return { ...env, GIT_AUTHOR_DATE: date, GIT_COMMITTER_DATE: date };
  };
  const gitBytes = (args: readonly string[], options: ExecFileSyncOptions = {}) =>
    execFileSync("git", args, { cwd: folder, env: dated(), stdio: "pipe", ...options }) as Buffer;
  const repository: TestRepository = {
    folder,
    env,
    gitBytes,
    git: (...args) => gitBytes(args).toString("utf8").replace(/\n$/, ""),
    write(path, content) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), content);
    },
    commit(message) {
      commits += 1;
      gitBytes(["add", "-A"]);
      gitBytes(["commit", "-q", "--allow-empty", "-m", message]);
      return repository.git("rev-parse", "HEAD");
    },
    note(commit, text) {
      gitBytes(["notes", "--ref=ai", "add", "-f", "-F", "-", commit], { input: text });
    },
    keyframe(args, { cwd = folder, stdin = "" } = {}) {
      const result = spawnSync(process.execPath, [keyframeProgram, ...args], { cwd, env, input: stdin });
      return {
        code: result.status ?? -1,
        stdout: result.stdout.toString("utf8"),
        bytes: result.stdout,
        stderr: result.stderr.toString("utf8"),
      };
    },
    remove: () => rmSync(root, { recursive: true, force: true }),
  };
  if (cloneOf === undefined) repository.git("init", "-q", "-b", "main");
  else repository.git("clone", "-q", `file://${cloneOf}`, ".");
  return repository;
}

export interface NoteFields {
  readonly [file: string]: readonly string[];
}

/** A note with one Claude session `s_1`, one Codex session `s_2` and one known human `h_1`; entries as `key ranges`. */
export function noteText(files: NoteFields, more: object = {}): string {
  const heads = Object.entries(files).map(
    ([path, entries]) => `${path}\n${entries.map((entry) => `  ${entry}\n`).join("")}`,
  );
  const metadata = {
    schema_version: "authorship/3.0.0",
    prompts: {},
    humans: { h_1: { author: "Zoë Lind <zoe@example.com>" } },
    sessions: {
      s_1: { agent_id: { tool: "claude", id: "c-1", model: "claude-sonnet-4-5-20250929" } },
      s_2: { agent_id: { tool: "codex", id: "x-2", model: "gpt-5.1-codex" } },
    },
    ...more,
  };
  return `${heads.join("")}---\n${JSON.stringify(metadata, null, 2)}`;
}
