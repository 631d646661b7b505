import { delimiter, join } from "node:path";
import { type AgentConnection, agentConnections } from "../../agents/settings/connections.ts";
import type { HookFile } from "../../agents/settings/hook-file.ts";
import type { FileState } from "../../base/file-change.ts";
import type { Git } from "../../git/git.ts";
import { readFileState } from "../../system/files/file-changes.ts";
import type { Files } from "../../system/files/files.ts";
import { ifReachable } from "../../system/files/if-reachable.ts";
import { readWorkTreeFile } from "../setup/work-tree-file.ts";

/** A file that connects an agent, as it is found. */
export interface AgentFile {
  readonly connection: AgentConnection;
  readonly file: HookFile;
  /** Absolute. */
  readonly path: string;
  /** From the top of its work tree; undefined in the home. */
  readonly workTreePath: string | undefined;
  readonly state: FileState;
  /** True if git tracks the file. */
  readonly committed: boolean;
}

/** The files of this work tree that connect agents; those of Claude Code are settings of their own. */
export function readAgentFiles(git: Git, files: Files): Promise<AgentFile[]> {
  return readFiles(git, files, ({ repository }) => repository);
}

/** Those in which agents look for servers that they may ask. */
export function readServerFiles(git: Git, files: Files, env: NodeJS.ProcessEnv): Promise<AgentFile[]> {
  return readFiles(git, files, ({ servers }) => servers?.(env).repository ?? []);
}

async function readFiles(
  git: Git,
  files: Files,
  filesOf: (connection: AgentConnection) => HookFile | readonly HookFile[],
): Promise<AgentFile[]> {
  const top = git.repository.workTree ?? git.repository.gitDir;
  const found = agentConnections.flatMap((connection) =>
    [filesOf(connection)].flat().map((file) => ({ connection, file })),
  );
  const listed = await git.run([
    "ls-files",
    "-z",
    "--full-name",
    "--",
    ...found.map(({ file }) => join(top, file.path)),
  ]);
  const tracked = new Set(listed.stdout.toString("utf8").split("\0"));
  return found.map(({ connection, file }) => ({
    connection,
    file,
    path: join(top, file.path),
    workTreePath: file.path,
    state: readWorkTreeFile(top, join(top, file.path), files),
    committed: tracked.has(file.path),
  }));
}

export interface Surroundings {
  readonly files: Files;
  readonly env: NodeJS.ProcessEnv;
  readonly home: string;
}

/** The files of the home that connect agents. */
export function readHomeFiles(around: Surroundings): AgentFile[] {
  return readHome(around, ({ home }) => home(around.env));
}

/** Those of the home in which agents look for servers. */
export function readHomeServerFiles(around: Surroundings): AgentFile[] {
  return readHome(around, ({ servers }) => servers?.(around.env).home ?? []);
}

function readHome(
  { files, home }: Surroundings,
  filesOf: (connection: AgentConnection) => HookFile | readonly HookFile[],
): AgentFile[] {
  return agentConnections.flatMap((connection) =>
    [filesOf(connection)].flat().map((file) => {
      const path = file.path.startsWith("/") ? file.path : join(home, file.path);
      const state = readFileState(path, files);
      return { connection, file, path, workTreePath: undefined, state, committed: false };
    }),
  );
}

/** The agents that are installed or that somebody has set up, on this machine or in this work tree. */
export function findAgents(
  { files, env, home }: Surroundings,
  workTree: string | undefined,
): ReadonlySet<string> {
  const folders = (env["PATH"] ?? "").split(delimiter).filter((folder) => folder !== "");
  const isThere = (path: string) => ifReachable(() => files.statTargetIfExists(path)) !== undefined;
  const found = agentConnections.filter(
    ({ programs, homeMarks, repositoryMarks }) =>
      programs.some((program) => folders.some((folder) => isThere(join(folder, program)))) ||
      homeMarks.some((mark) => isThere(join(home, mark))) ||
      (workTree !== undefined && repositoryMarks.some((mark) => isThere(join(workTree, mark)))),
  );
  return new Set(found.map(({ agent }) => agent));
}
