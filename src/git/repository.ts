import { delimiter, dirname, isAbsolute, join, resolve } from "node:path";
import { KeyframeError } from "../base/errors.ts";
import type { Files } from "../system/files/files.ts";
import { ifReachable } from "../system/files/if-reachable.ts";
import { isOid, type Oid } from "./ids.ts";
import { type Discovery, type TrustDeps, whyDistrusted } from "./repository-trust.ts";

/** Where a repository lives. All paths are absolute. */
export interface Repository {
  /** Top directory of the checked-out files; undefined in a bare repository. */
  readonly workTree: string | undefined;
  /** `.git`, or `.git/worktrees/<name>` of a linked worktree, or `.git/modules/<name>` of a submodule. */
  readonly gitDir: string;
  /** The directory that linked worktrees share: objects, refs, config. */
  readonly commonDir: string;
}

export type FoundRepository =
  | { readonly kind: "found"; readonly repository: Repository }
  /** There is one, and git would not use it: nothing of it may be read, run or written. */
  | { readonly kind: "refused"; readonly error: KeyframeError }
  | { readonly kind: "none" };

/**
 * Looks for the repository that holds `start` by walking up as git does, and decides whether to trust it; without
 * running git where files decide, since hooks have no time for it. Knows work trees, linked worktrees, submodules (`.git`
 * files) and bare repositories, ceiling directories and the borders of file systems. The one that GIT_DIR and
 * GIT_WORK_TREE name (dotfiles) holds what lies in its work tree and in no repository further down.
 */
export function lookForRepository(start: string, deps: LookDeps): FoundRepository {
  const known = deps.found?.get(start);
  if (known !== undefined) return known;
  const found = look(start, deps);
  deps.found?.set(start, found);
  return found;
}

export interface LookDeps extends TrustDeps {
  /** What was found, by where the search began: for a process so short that no repository comes or goes meanwhile. */
  readonly found?: Map<string, FoundRepository>;
}

function look(start: string, deps: TrustDeps): FoundRepository {
  const discovery = discover(start, deps);
  const named = findNamed(discovery, deps);
  if (named !== undefined && holds(named, start, discovery)) return { kind: "found", repository: named };
  return decide(discovery, deps);
}

function decide(discovery: Discovery | undefined, deps: TrustDeps): FoundRepository {
  if (discovery === undefined) return { kind: "none" };
  const error = whyDistrusted(discovery, deps);
  return error === undefined
    ? { kind: "found", repository: describe(discovery, deps.files) }
    : { kind: "refused", error };
}

/** The repository that holds `start`; undefined where there is none, or none that git would use. */
export function findRepository(start: string, deps: LookDeps): Repository | undefined {
  const found = lookForRepository(start, deps);
  return found.kind === "found" ? found.repository : undefined;
}

/**
 * The repository that a command started in `start` works on: as for git, the one that GIT_DIR names.
 * @throws KeyframeError `not-found` outside of a repository, `refused` in one that git would not use
 */
export function mustFindRepository(start: string, deps: TrustDeps): Repository {
  const discovery = discover(start, deps);
  const named = findNamed(discovery, deps);
  const found = named === undefined ? decide(discovery, deps) : { kind: "found" as const, repository: named };
  if (found.kind === "found") return found.repository;
  if (found.kind === "refused") throw found.error;
  throw new KeyframeError("not-found", `${start} is not inside a git repository`, {
    hint: "run the command inside a repository, or make one with `git init`",
  });
}

function discover(start: string, { files, env = process.env }: TrustDeps): Discovery | undefined {
  const mayEnter = openWalk(start, files, env);
  for (let folder = resolve(start); ; folder = dirname(folder)) {
    const dotGit = join(folder, ".git");
    const kind = ifReachable(() => files.statTargetIfExists(dotGit))?.kind;
    if (kind === "folder" && looksLikeGitDir(dotGit, files))
      return { workTree: folder, gitDir: dotGit, gitFile: undefined };
    if (kind === "file") {
      const gitDir = followGitFile(dotGit, files);
      if (gitDir !== undefined) return { workTree: folder, gitDir, gitFile: dotGit };
    }
    if (looksLikeGitDir(folder, files)) return { workTree: undefined, gitDir: folder, gitFile: undefined };
    if (!mayEnter(dirname(folder), folder)) return undefined;
  }
}

/**
 * The repository that git's own variables name: git asks no question about one that the user names outright. Git sets
 * GIT_DIR for its hooks as well, where it names what is around anyway: that one is judged as if found.
 */
function findNamed(
  around: Discovery | undefined,
  { files, env = process.env }: TrustDeps,
): Repository | undefined {
  const name = env["GIT_DIR"];
  if (name === undefined || name === "") return undefined;
  const given = resolve(name);
  if (given === around?.gitDir && !env["GIT_WORK_TREE"]) return undefined;
  const isFile = files.statTargetIfExists(given)?.kind === "file";
  const gitDir = isFile ? followGitFile(given, files) : given;
  if (gitDir === undefined || !looksLikeGitDir(gitDir, files)) return undefined;
  return describe({ workTree: namedWorkTree(gitDir, files, env), gitDir, gitFile: undefined }, files);
}

function namedWorkTree(gitDir: string, files: Files, env: NodeJS.ProcessEnv): string | undefined {
  const named = env["GIT_WORK_TREE"];
  if (named !== undefined && named !== "") return resolve(named);
  const config = files.readIfExists(join(gitDir, "config"))?.toString("utf8") ?? "";
  const core = /^\[core\]\s*\n((?:(?!\[).*(?:\n|$))*)/m.exec(config)?.[1] ?? "";
  const configured = /^\s*worktree\s*=\s*"?(.+?)"?\s*$/m.exec(core)?.[1];
  if (configured !== undefined) return resolve(gitDir, configured);
  return /^\s*bare\s*=\s*true\s*$/m.test(core) ? undefined : process.cwd();
}

function holds({ workTree }: Repository, start: string, around: Discovery | undefined): boolean {
  if (workTree === undefined) return around === undefined;
  const isIn = resolve(start) === workTree || isBelow(start, workTree);
  return isIn && (around?.workTree === undefined || !isBelow(around.workTree, workTree));
}

function isBelow(path: string, folder: string): boolean {
  return resolve(path) !== folder && resolve(path).startsWith(folder === "/" ? "/" : `${folder}/`);
}

/** Whether the walk goes on from a directory to the one above it: not to a ceiling, nor to another file system. */
function openWalk(
  start: string,
  files: Files,
  env: NodeJS.ProcessEnv,
): (parent: string, folder: string) => boolean {
  const ceilings = ceilingsOf(env["GIT_CEILING_DIRECTORIES"] ?? "", files);
  const deviceOf = (path: string) => ifReachable(() => files.statTargetIfExists(path))?.device;
  const crosses = /^(1|true|yes|on)$/i.test(env["GIT_DISCOVERY_ACROSS_FILESYSTEM"] ?? "");
  let device = crosses ? undefined : deviceOf(resolve(start));
  return (parent, folder) => {
    if (parent === folder || ceilings.has(parent)) return false;
    const above = crosses ? undefined : deviceOf(parent);
    if (device !== undefined && above !== device) return false;
    device = above; // a path that does not exist yet begins on the file system of its nearest directory
    return true;
  };
}

/** As git reads the variable: absolute paths, whose symlinks count until the first empty entry. */
function ceilingsOf(text: string, files: Files): ReadonlySet<string> {
  const ceilings = new Set<string>();
  if (text === "") return ceilings;
  let resolvesLinks = true;
  for (const entry of text.split(delimiter)) {
    if (entry === "") resolvesLinks = false;
    if (!isAbsolute(entry)) continue;
    ceilings.add(resolve(entry));
    if (resolvesLinks) ceilings.add(files.realPathIfExists(entry) ?? entry);
  }
  return ceilings;
}

function looksLikeGitDir(folder: string, files: Files): boolean {
  const holds = (name: string) => ifReachable(() => files.statIfExists(join(folder, name))) !== undefined;
  return holds("HEAD") && (holds("commondir") || (holds("objects") && holds("refs")));
}

function followGitFile(path: string, files: Files): string | undefined {
  const match = /^gitdir: (.+?)\s*$/.exec(readPointer(path, files) ?? "");
  if (match?.[1] === undefined) return undefined;
  const gitDir = isAbsolute(match[1]) ? match[1] : resolve(dirname(path), match[1]);
  return looksLikeGitDir(gitDir, files) ? gitDir : undefined;
}

function describe({ workTree, gitDir }: Discovery, files: Files): Repository {
  const pointer = readPointer(join(gitDir, "commondir"), files)?.trim();
  return { workTree, gitDir, commonDir: pointer === undefined ? gitDir : resolve(gitDir, pointer) };
}

/** A file that holds one path, read before anybody knows whose it is; a longer one is none. */
function readPointer(path: string, files: Files): string | undefined {
  const stat = ifReachable(() => files.statTargetIfExists(path));
  if (stat?.kind !== "file" || stat.sizeBytes > maxPointerBytes) return undefined;
  return files.read(path).toString("utf8");
}

const maxPointerBytes = 8192;

export interface HeadRef {
  /** `refs/heads/main`, or undefined when HEAD is detached. */
  readonly ref: string | undefined;
  /** Undefined before the first commit of the branch. */
  readonly oid: Oid | undefined;
}

/**
 * HEAD as git stores it in files (loose or packed refs). Returns undefined where refs are stored otherwise (reftable):
 * ask git then.
 */
export function readHeadFromFiles(repository: Repository, files: Files): HeadRef | undefined {
  const text = files.readIfExists(join(repository.gitDir, "HEAD"))?.toString("utf8").trim();
  if (text === undefined || text === "ref: refs/heads/.invalid") return undefined;
  if (isOid(text)) return { ref: undefined, oid: text };
  if (!text.startsWith("ref: ")) return undefined;
  const ref = text.slice("ref: ".length);
  return { ref, oid: readRefFromFiles(repository, ref, files) };
}

/** False only if no ref can lie below `folder` (`refs/x/y`): looked up in files, without a process. */
export function mayHaveRefsBelow(repository: Repository, folder: string, files: Files): boolean {
  const { commonDir } = repository;
  return (
    files.statIfExists(join(commonDir, folder)) !== undefined ||
    files.statIfExists(join(commonDir, "reftable")) !== undefined ||
    files.readIfExists(join(commonDir, "packed-refs"))?.includes(` ${folder}/`) === true
  );
}

function readRefFromFiles(repository: Repository, ref: string, files: Files): Oid | undefined {
  for (const folder of [repository.gitDir, repository.commonDir]) {
    const loose = files.readIfExists(join(folder, ref))?.toString("utf8").trim();
    if (loose !== undefined && isOid(loose)) return loose;
    if (loose?.startsWith("ref: ")) return readRefFromFiles(repository, loose.slice("ref: ".length), files);
  }
  const packed = files.readIfExists(join(repository.commonDir, "packed-refs"));
  if (packed === undefined) return undefined;
  const at = packed.indexOf(` ${ref}\n`);
  if (at === -1) return undefined;
  const oid = packed.toString("latin1", packed.lastIndexOf("\n", at) + 1, at);
  return isOid(oid) ? oid : undefined;
}
