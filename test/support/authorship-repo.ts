import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { AgentId } from "../../src/agents/agent-event.ts";
import type { ObserveDeps } from "../../src/authorship/edits/edit-cause.ts";
import { ownersByPath } from "../../src/authorship/note/log.ts";
import { parseAuthorshipLog } from "../../src/authorship/note/log-codec.ts";
import { resolveOwner } from "../../src/authorship/note/owners.ts";
import { type ObserveOutcome, observe } from "../../src/authorship/record/observe.ts";
import { keyAtLine } from "../../src/authorship/rules/owner-runs.ts";
import { type SettleOutcome, settle } from "../../src/authorship/settle/settle.ts";
import { openGit } from "../../src/git/git.ts";
import { unquotePath } from "../../src/git/objects/quoted-path.ts";
import { mustFindRepository } from "../../src/git/repository.ts";
import { nodeClock } from "../../src/system/clock.ts";
import { nodeFiles } from "../../src/system/files/files.ts";
import { nodeMachine } from "../../src/system/machine/machine.ts";
import { nodeProcessTable } from "../../src/system/process/process-table.ts";
import { nodeProcesses } from "../../src/system/process/processes.ts";
import { nodeRandom } from "../../src/system/random.ts";

export const nodeObserveDeps: ObserveDeps = {
  files: nodeFiles,
  clock: nodeClock,
  random: nodeRandom,
  processTable: nodeProcessTable,
  processes: nodeProcesses,
};

export const agentA: AgentId = { tool: "claude", id: "session-a", model: "m-1" };
export const agentB: AgentId = { tool: "codex", id: "session-b", model: "m-2" };

/** A real repository in a temporary directory, with what a test does to it: edits, recordings, commits. */
export interface AuthorshipRepo {
  readonly folder: string;
  readonly git: (...args: string[]) => string;
  write(path: string, ...lines: string[]): void;
  writeBytes(path: string, bytes: string | Buffer): void;
  path(path: string): string;
  /** One call that names several paths, as a patch does. */
  agentPatch(paths: readonly string[], change: () => void, agent?: AgentId): void;
  /** An edit of an agent's tool: before hook, the change, after hook. */
  agentEdit(path: string, change: () => void, agent?: AgentId): void;
  /** Only the report after an edit, for all changes since the last known state or HEAD. */
  agentReports(path: string, agent?: AgentId): ObserveOutcome;
  agentBegins(path: string, agent?: AgentId): void;
  humanSaves(path: string): ObserveOutcome;
  snapshot(path: string): void;
  shellBegins(id: string, agent?: AgentId): ObserveOutcome;
  shellEnds(id: string, agent?: AgentId): ObserveOutcome;
  /** `git commit` of what is staged, then what the hook does. */
  commitIndex(...args: string[]): Promise<string>;
  /** Stages everything (or these paths) and commits. */
  commit(...paths: string[]): Promise<string>;
  settle(): Promise<SettleOutcome>;
  /** One letter a line by blame: A and B for the agents, K a known human, U unknown. */
  readonly blame: (path: string) => string;
  note(commit?: string): string;
  remove(): void;
}

export function makeAuthorshipRepo(deps = nodeObserveDeps): AuthorshipRepo {
  const folder = mkdtempSync(join(tmpdir(), "kf-authorship-"));
  const env = {
    ...process.env,
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_CONFIG_NOSYSTEM: "1",
    HOME: folder,
  };
  const git = (...args: string[]) => execFileSync("git", args, { cwd: folder, encoding: "utf8", env }).trim();
  git("init", "-q", "-b", "main");
  git("config", "user.name", "Test User");
  git("config", "user.email", "test@example.com");
  git("config", "commit.gpgsign", "false");
  let calls = 0;
  let open = "";
  const path = (name: string) => join(folder, name);
  const toolCall = (agent: AgentId, toolUseId: string) => ({
    agent,
    cwd: folder,
    toolUseId,
    toolName: "Edit",
  });
  const repo: AuthorshipRepo = {
    folder,
    git,
    path,
    write: (name, ...lines) => repo.writeBytes(name, lines.map((line) => `${line}\n`).join("")),
    writeBytes(name, bytes) {
      mkdirSync(dirname(path(name)), { recursive: true });
      writeFileSync(path(name), bytes);
    },
    agentBegins(name, agent = agentA) {
      calls += 1;
      open = `call-${calls}`;
      observe({ kind: "before-edit", ...toolCall(agent, open), paths: [path(name)] }, deps);
    },
    agentReports(name, agent = agentA) {
      if (open === "") {
        calls += 1;
        open = `call-${calls}`;
      }
      const event = {
        kind: "after-edit",
        ...toolCall(agent, open),
        paths: [path(name)],
        baseline: "commit",
      } as const;
      open = "";
      return observe(event, deps);
    },
    agentEdit(name, change, agent = agentA) {
      repo.agentBegins(name, agent);
      change();
      repo.agentReports(name, agent);
    },
    agentPatch(names, change, agent = agentA) {
      calls += 1;
      const call = { ...toolCall(agent, `call-${calls}`), paths: names.map(path) };
      observe({ kind: "before-edit", ...call }, deps);
      change();
      observe({ kind: "after-edit", ...call }, deps);
    },
    humanSaves: (name) => observe({ kind: "known-human-edit", paths: [path(name)], cwd: folder }, deps),
    snapshot: (name) => void observe({ kind: "untracked-edit", paths: [path(name)], cwd: folder }, deps),
    shellBegins: (id, agent = agentA) => observe({ kind: "before-shell", ...toolCall(agent, id) }, deps),
    shellEnds: (id, agent = agentA) => observe({ kind: "after-shell", ...toolCall(agent, id) }, deps),
    async commitIndex(...args) {
      git("commit", "-q", "--allow-empty-message", "-m", "change", ...args);
      await repo.settle();
      return git("rev-parse", "HEAD");
    },
    commit(...paths) {
      git("add", ...(paths.length === 0 ? ["-A"] : ["--", ...paths]));
      return repo.commitIndex();
    },
    settle: () => settle(openGit(mustFindRepository(folder, nodeMachine), nodeProcesses), deps),
    blame(name) {
      const lines = execFileSync(
        "git",
        ["-c", "core.quotePath=true", "blame", "--line-porcelain", "HEAD", "--", name],
        {
          cwd: folder,
          env,
          encoding: "latin1",
        },
      );
      let letters = "";
      let at: RegExpExecArray | null = null;
      for (const line of lines.split("\n")) {
        at = /^([0-9a-f]{40}) (\d+) \d+/.exec(line) ?? at;
        if (line.startsWith("filename ") && at !== null)
          letters += letterOf(repo, {
            commit: at[1] ?? "",
            line: Number(at[2]),
            path: unquotePath(line.slice(9)),
          });
      }
      return letters;
    },
    note(commit = "HEAD") {
      try {
        return execFileSync("git", ["notes", "--ref=ai", "show", commit], {
          cwd: folder,
          env,
          encoding: "utf8",
          stdio: ["ignore", "pipe", "ignore"],
        });
      } catch {
        return "";
      }
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
  return repo;
}

function letterOf(repo: AuthorshipRepo, where: { commit: string; line: number; path: string }): string {
  const { log } = parseAuthorshipLog(Buffer.from(repo.note(where.commit)));
  const runs = [...ownersByPath(log)].find(([path]) => path === where.path)?.[1].runs ?? [];
  const key = keyAtLine(runs, where.line);
  const owner = key === undefined ? undefined : resolveOwner(log.metadata, key);
  if (owner === undefined) return "U";
  if (owner.kind === "human") return "K";
  return owner.agent.tool === agentA.tool ? "A" : "B";
}

export const readText = (path: string) => readFileSync(path, "utf8");
