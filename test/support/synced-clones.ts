import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PushContext } from "../../src/checkpoints/remote/push/push-checkpoints.ts";
import { openCheckpointStores } from "../../src/checkpoints/stores/open-stores.ts";
import { type Git, openGit } from "../../src/git/git.ts";
import { mustFindRepository } from "../../src/git/repository.ts";
import { nodeClock } from "../../src/system/clock.ts";
import { nodeFiles } from "../../src/system/files/files.ts";
import { nodeMachine } from "../../src/system/machine/machine.ts";
import { nodeProcessTable } from "../../src/system/process/process-table.ts";
import { nodeProcesses } from "../../src/system/process/processes.ts";
import { noTrace } from "../../src/system/trace.ts";
import { type GitServer, startGitServer } from "./git-server.ts";
import { type CommandResult, keyframeProgram } from "./test-repository.ts";

export interface RemoteOptions {
  readonly over?: "http" | "daemon" | "folder";
  /** `uploadpack.allowFilter` */
  readonly filter?: boolean;
  /** False: no object by id. Newer protocols give any object, so such a remote speaks the oldest. */
  readonly byId?: boolean;
  readonly format?: "sha1" | "sha256";
}

export interface Clone {
  readonly folder: string;
  readonly home: string;
  readonly env: NodeJS.ProcessEnv;
  readonly git: Git;
  /** What was noted while fetching or pushing. */
  readonly notes: string[];
  readonly context: PushContext;
  readonly stores: ReturnType<typeof openCheckpointStores>;
  sh(...args: string[]): string;
  write(path: string, content: string): void;
  commit(message: string): string;
  keyframe(...args: string[]): CommandResult;
  config(): string;
}

/** A bare repository behind a real server, and clones of it with homes of their own. */
export interface SyncedClones {
  readonly root: string;
  readonly url: string;
  readonly remoteFolder: string;
  readonly server: GitServer | undefined;
  /** Runs git in the bare repository. */
  remote(...args: string[]): string;
  /** `flags`: more of `git clone`. */
  clone(name: string, ...flags: readonly string[]): Clone;
  close(): Promise<void>;
}

export async function makeSyncedClones({
  over = "http",
  filter = true,
  byId = true,
  format = "sha1",
}: RemoteOptions = {}): Promise<SyncedClones> {
  const root = mkdtempSync(join(tmpdir(), "kf-sync-"));
  const served = join(root, "served");
  const remoteFolder = join(served, "project.git");
  const base = { PATH: process.env["PATH"], GIT_CONFIG_NOSYSTEM: "1", HOME: root, TZ: "UTC" };
  const run = (cwd: string, env: NodeJS.ProcessEnv, args: readonly string[]) =>
    execFileSync("git", args, { cwd, env, encoding: "utf8", stdio: "pipe", maxBuffer: 1 << 30 }).trim();
  mkdirSync(served);
  run(root, base, ["init", "-q", "--bare", `--object-format=${format}`, "-b", "main", remoteFolder]);
  const remote = (...args: string[]) => run(remoteFolder, base, args);
  remote("config", "uploadpack.allowFilter", String(filter));
  remote("config", "http.receivepack", "true");
  remote("config", "gc.auto", "0");
  if (!byId) remote("config", "protocol.version", "0");
  const server = over === "folder" ? undefined : await startGitServer(over, served);
  const url = server === undefined ? remoteFolder : `${server.url}/project.git`;
  seed({ root, env: base, remoteFolder, format });
  return {
    root,
    url,
    remoteFolder,
    server,
    remote,
    clone: (name, ...flags) => makeClone({ root, name, url, byId, flags, run }),
    async close() {
      await server?.close();
      rmSync(root, { recursive: true, force: true });
    },
  };
}

interface SeedRequest {
  readonly root: string;
  readonly env: NodeJS.ProcessEnv;
  readonly remoteFolder: string;
  readonly format: string;
}

function seed({ root, env, remoteFolder, format }: SeedRequest): void {
  const folder = join(root, "seed");
  const git = (...args: string[]) =>
    execFileSync("git", args, { cwd: folder, env: { ...env, ...identity("Seed") }, stdio: "pipe" });
  mkdirSync(folder);
  git("init", "-q", `--object-format=${format}`, "-b", "main");
  writeFileSync(join(folder, "readme.md"), "hello\n");
  git("add", "-A");
  git("commit", "-qm", "first");
  git("push", "-q", remoteFolder, "main");
}

function identity(name: string): NodeJS.ProcessEnv {
  const email = `${name.toLowerCase()}@example.com`;
  return {
    GIT_AUTHOR_NAME: name,
    GIT_AUTHOR_EMAIL: email,
    GIT_COMMITTER_NAME: name,
    GIT_COMMITTER_EMAIL: email,
  };
}

interface CloneRequest {
  readonly root: string;
  readonly name: string;
  readonly url: string;
  readonly byId: boolean;
  readonly flags: readonly string[];
  readonly run: (cwd: string, env: NodeJS.ProcessEnv, args: readonly string[]) => string;
}

function makeClone({ root, name, url, byId, flags, run }: CloneRequest): Clone {
  const home = join(root, `home-${name}`);
  const folder = join(root, name);
  mkdirSync(home);
  const env: NodeJS.ProcessEnv = {
    PATH: process.env["PATH"],
    HOME: home,
    XDG_CONFIG_HOME: home,
    GIT_CONFIG_NOSYSTEM: "1",
    TZ: "UTC",
    ...identity(name),
  };
  // one branch only: checkpoints are not to come by themselves
  run(root, env, ["clone", "-q", "--single-branch", ...flags, url, folder]);
  if (!byId) run(folder, env, ["config", "protocol.version", "0"]);
  const git = openGit(mustFindRepository(folder, nodeMachine), nodeProcesses, env);
  const notes: string[] = [];
  const sh = (...args: string[]) => run(folder, env, args);
  const clone: Clone = {
    folder,
    home,
    env,
    git,
    notes,
    stores: openCheckpointStores(git),
    context: {
      git,
      files: nodeFiles,
      processTable: nodeProcessTable,
      trace: noTrace,
      clock: nodeClock,
      note: (text) => void notes.push(text),
      nowSeconds: 1_770_000_000,
    },
    sh,
    write: (path, content) => writeFileSync(join(folder, path), content),
    commit(message) {
      sh("add", "-A");
      sh("commit", "-q", "--allow-empty", "-m", message);
      return sh("rev-parse", "HEAD");
    },
    keyframe(...args) {
      const result = spawnSync(process.execPath, [keyframeProgram, ...args], { cwd: folder, env });
      return {
        code: result.status ?? -1,
        stdout: result.stdout.toString("utf8"),
        bytes: result.stdout,
        stderr: result.stderr.toString("utf8"),
      };
    },
    config: () => readFileSync(join(folder, ".git/config"), "utf8"),
  };
  return clone;
}
