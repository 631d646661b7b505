import { join } from "node:path";
import {
  entireHookFiles,
  entirePersonalSettings,
  entireSettingsPaths,
  isEntireEnabled,
  startsEntire,
} from "../../agents/peers/entire.ts";
import {
  doesGitAiRecord,
  gitAiHookFiles,
  gitAiSettings,
  isGitAiTarget,
  startsGitAi,
} from "../../agents/peers/git-ai.ts";
import { KeyframeError } from "../../base/errors.ts";
import { absent, type FileState } from "../../base/file-change.ts";
import type { Git } from "../../git/git.ts";
import type { HookSituation } from "../../git/hooks/hook-situation.ts";
import { readFileState } from "../../system/files/file-changes.ts";
import type { Files } from "../../system/files/files.ts";
import { ifReachable } from "../../system/files/if-reachable.ts";
import { readWorkTreeFile } from "../setup/work-tree-file.ts";

/** The settings file through which a peer is switched off here. */
export interface PeerSettings {
  readonly path: string;
  /** From the top of its work tree; undefined in the home. */
  readonly workTreePath: string | undefined;
  readonly state: FileState;
  /** True if git tracks the file. */
  readonly committed: boolean;
  /** Why there is no state: it is a directory, or may not be read. */
  readonly problem?: KeyframeError;
}

/** Another tool that records what agents do, as it is found. */
export interface Peer {
  readonly name: PeerName;
  /** `on`: it records in this repository; `off`: it left something here, and does not record. */
  readonly standing: "on" | "off";
  /** What starts it: absolute paths of hooks and of agents' settings, and names of git's settings. */
  readonly hooks: readonly string[];
  readonly settings: PeerSettings;
  /** URLs of the repository's remotes, where the peer knows repositories by them. */
  readonly urls: readonly string[];
}

export type PeerName = "entire" | "git-ai";

export interface PeerSurroundings {
  readonly git: Git;
  readonly files: Files;
  readonly home: string;
  readonly hooks: readonly HookSituation[];
}

/** The peers that record in this repository, or did. Changes nothing and starts none of them. */
export async function findPeers(around: PeerSurroundings): Promise<Peer[]> {
  return [await findEntire(around), await findGitAi(around)].filter((peer) => peer !== undefined);
}

async function findEntire({ git, files, hooks }: PeerSurroundings): Promise<Peer | undefined> {
  const top = git.repository.workTree;
  if (top === undefined) return undefined;
  const read = (path: string) => readSafely(() => readWorkTreeFile(top, join(top, path), files));
  const texts = entireSettingsPaths.map((path) => textOf(read(path).state));
  const inGit = hooks.flatMap(({ path, state, chainedPath, chained }) => [
    ...(startsEntire(textOf(state) ?? "") ? [path] : []),
    ...(startsEntire(textOf(chained) ?? "") ? [chainedPath] : []),
  ]);
  const inAgents = entireHookFiles.filter((path) => startsEntire(textOf(read(path).state) ?? ""));
  const found = [...inGit, ...inAgents.map((path) => join(top, path))];
  if (found.length === 0 && texts.every((text) => text === undefined)) return undefined;
  const settings = read(entirePersonalSettings);
  return {
    name: "entire",
    standing: found.length > 0 && isEntireEnabled(texts) ? "on" : "off",
    hooks: found,
    settings: {
      path: join(top, entirePersonalSettings),
      workTreePath: entirePersonalSettings,
      committed: settings.state.kind === "file" && (await isTracked(git, entirePersonalSettings)),
      ...settings,
    },
    urls: [],
  };
}

async function findGitAi({ git, files, home }: PeerSurroundings): Promise<Peer | undefined> {
  const isThere = (path: string) => ifReachable(() => files.statTargetIfExists(path)) !== undefined;
  const wasHere = isThere(join(git.repository.commonDir, "ai"));
  if (!wasHere && !isThere(join(home, ".git-ai"))) return undefined;
  const inAgents = gitAiHookFiles
    .map((path) => join(home, path))
    .filter((path) => startsGitAi(textOf(readSafely(() => readTarget(path, files)).state) ?? ""));
  const targets = (await configured(git, String.raw`trace2\.eventtarget`)).filter(isGitAiTarget);
  const found = [...inAgents, ...targets.slice(0, 1).map(() => "trace2.eventTarget")];
  if (!wasHere && found.length === 0) return undefined;
  const path = join(home, gitAiSettings);
  const settings = readSafely(() => readFileState(path, files));
  const urls = await configured(git, String.raw`remote\..*\.url`);
  return {
    name: "git-ai",
    standing: found.length > 0 && doesGitAiRecord(textOf(settings.state), urls) ? "on" : "off",
    hooks: found,
    settings: { path, workTreePath: undefined, committed: false, ...settings },
    urls,
  };
}

/** Larger files are no settings and no hook. */
const maxTextBytes = 4 * 1024 * 1024;

/** A file of the home, where links are the user's own. */
function readTarget(path: string, files: Files): FileState {
  const stat = files.statTargetIfExists(path);
  return stat?.kind === "file" && stat.sizeBytes <= maxTextBytes
    ? { kind: "file", content: files.read(path), mode: stat.mode }
    : absent;
}

function readSafely(read: () => FileState): { readonly state: FileState; readonly problem?: KeyframeError } {
  try {
    return { state: read() };
  } catch (error) {
    if (error instanceof KeyframeError) return { state: absent, problem: error };
    throw error;
  }
}

async function isTracked(git: Git, path: string): Promise<boolean> {
  return (await git.run(["ls-files", "-z", "--full-name", "--", path])).stdout.length > 0;
}

/** The values of git's settings whose names match, as git spells them, of every scope. */
async function configured(git: Git, name: string): Promise<string[]> {
  const { stdout } = await git.run(["config", "-z", "--get-regexp", `^${name}$`], {
    okCodes: [0, 1],
  });
  const entries = stdout.toString("utf8").split("\0");
  return entries.flatMap((entry) => (entry.includes("\n") ? [entry.slice(entry.indexOf("\n") + 1)] : []));
}

function textOf(state: FileState): string | undefined {
  return state.kind === "file" ? state.content.toString("utf8") : undefined;
}
