import { isNullOid, isOid, type Oid, type RepoPath } from "../../git/ids.ts";
import { blobOidLike, type ObjectFinder, openObjectFinder } from "../../git/objects/object-presence.ts";
import { parseTips, tipsArguments } from "../../git/refs/tips.ts";
import { runGitSync } from "../../git/remote/sync.ts";
import type { Repository } from "../../git/repository.ts";
import { type GitState, headMovesSince, readGitState } from "../../git/worktree/git-state.ts";
import { KeptBlobs, readKeptStates } from "../../journal/calls/kept-states.ts";
import { readShellBeginning, type ShellBeginning, type ShellCall } from "../../journal/calls/shell-calls.ts";
import type { ObserveDeps } from "../edits/edit-cause.ts";
import type { PathSnapshot } from "../edits/path-snapshot.ts";
import type { EarlierContent, OwnedState } from "../edits/record-edit.ts";
import { readBlobsSync, resolveNamesSync } from "./git-blobs.ts";

/** Commits whose files are looked at as possible origins. */
const maxCommits = 64;
/** Branches and remote branches among them, the latest first. */
const maxRefs = 40;
/** Names asked of git at once; with more files than that fewer commits are asked. */
const maxNames = 20_000;
/** Paths that are gone whose kept states are compared with every changed file. */
const maxGone = 16;
/** Versions of one file that are compared. */
const maxVersions = 12;

interface ChangedContent {
  readonly path: RepoPath;
  readonly content: Buffer;
}

export interface PrepareOptions {
  /** Paths that stand as a commit has them which the call did not make. */
  readonly isClean?: (path: RepoPath) => boolean;
  /** Commits to look at besides, such as the parents of one that the call made. */
  readonly more?: readonly string[];
  /** Paths that are gone now: what was kept of them may have been moved to a path of which nothing was kept. */
  readonly gone?: readonly RepoPath[];
}

/**
 * What git, a stash or an earlier state held before a shell call began. Content that git had as a whole was not made by
 * the call; where git did something during the call (a ref, the index or a `*_HEAD` file changed), lines of the commits
 * that it may have taken them from were not either. Without a call only states whose owners are known count.
 */
export class GitOrigins {
  readonly #repository: Repository;
  readonly #deps: ObserveDeps;
  readonly #call: ShellCall | undefined;
  readonly #beginning: ShellBeginning | undefined;
  readonly #prepared = new Map<RepoPath, EarlierContent>();
  #finder: ObjectFinder | undefined;
  #now: GitState | undefined;

  constructor(repository: Repository, call: ShellCall | undefined, deps: ObserveDeps) {
    this.#repository = repository;
    this.#deps = deps;
    this.#call = call;
    this.#beginning = call && readShellBeginning(repository, deps.files, call);
  }

  /** Looks up many paths at once. */
  prepare(
    captures: ReadonlyMap<RepoPath, PathSnapshot>,
    { isClean = () => false, more = [], gone = [] }: PrepareOptions = {},
  ): void {
    const changed = [...captures].flatMap(([path, { content, unlined }]) =>
      content === undefined || unlined !== undefined ? [] : [{ path, content }],
    );
    const whole = new Set(
      changed.filter(({ path, content }) => isClean(path) || this.#isOld(content)).map(({ path }) => path),
    );
    const mixed = changed.filter(({ path }) => !whole.has(path));
    const versions = this.#versionsOf(mixed, more);
    const keptOf = (path: RepoPath): OwnedState[] => readKeptStates(this.#repository, this.#deps.files, path);
    const moved = gone.slice(0, maxGone).flatMap(keptOf);
    const copied = new KeptBlobs(this.#repository, this.#deps.files);
    for (const { path, content } of changed) {
      const same = blobOids(content, this.#format()).flatMap((oid) => copied.read(oid));
      const states = [...keptOf(path), ...same, ...moved];
      this.#prepared.set(path, { isWhole: whole.has(path), versions: versions.get(path) ?? [], states });
    }
  }

  /** What of a path's new content may have been there before. */
  earlierOf(path: RepoPath, after: PathSnapshot): EarlierContent {
    if (!this.#prepared.has(path)) this.prepare(new Map([[path, after]]));
    return this.#prepared.get(path) ?? { isWhole: false, versions: [], states: [] };
  }

  /** True if git held this content before the call. */
  #isOld(content: Buffer): boolean {
    return this.#call !== undefined && blobOids(content, this.#format()).some((oid) => this.#isOldBlob(oid));
  }

  /** True if git did something since the call began; also where that cannot be told. */
  get isGitChanged(): boolean {
    if (this.#call === undefined) return false;
    return this.#beginning === undefined || this.#state().mark !== this.#beginning.state.mark;
  }

  /**
   * Commits that `git commit` made in this worktree since the call began; undefined where nothing logs that.
   */
  committedSince(): ReadonlySet<Oid> | undefined {
    const state = this.#beginning?.state;
    const moves = state && headMovesSince(this.#repository, this.#deps.files, state);
    const isCommit = (action: string) => /^commit(?: \((?:initial|amend|cherry-pick)\))?$/.test(action);
    return moves && new Set(moves.filter(({ action }) => isCommit(action)).map(({ to }) => to));
  }

  /**
   * Earlier contents of changed files in the commits that git's state names, as far as they are from before the call.
   */
  #versionsOf(changed: readonly ChangedContent[], more: readonly string[]): Map<RepoPath, Buffer[]> {
    const versions = new Map<RepoPath, Buffer[]>();
    if (changed.length === 0 || (more.length === 0 && !this.isGitChanged)) return versions;
    const commits = [...new Set([...more, ...this.#candidates()])].slice(0, maxCommits);
    const perPath = Math.min(commits.length, Math.floor(maxNames / changed.length));
    const asked = changed.flatMap(({ path }) =>
      path.includes("\n") ? [] : commits.slice(0, perPath).map((commit) => ({ path, commit })),
    );
    const git = { repository: this.#repository, processes: this.#deps.processes };
    const names = asked.map(({ path, commit }) => `${commit}:${path}`);
    const blobs = resolveNamesSync(git, names);
    const fetched = new Set<string>(this.#fetched());
    const wanted = new Map<RepoPath, Set<Oid>>();
    blobs.forEach((blob, index) => {
      const { path, commit } = asked[index] ?? {};
      if (blob === undefined || path === undefined || commit === undefined) return;
      const known = wanted.get(path) ?? new Set();
      const isUsable = known.size < maxVersions && (fetched.has(commit) || this.#isOldBlob(blob));
      if (isUsable) wanted.set(path, known.add(blob));
    });
    const contents = readBlobsSync(git, [...new Set([...wanted.values()].flatMap((oids) => [...oids]))]);
    for (const [path, oids] of wanted)
      versions.set(
        path,
        [...oids].flatMap((oid) => contents.get(oid) ?? []),
      );
    return versions;
  }

  #isOldBlob(oid: Oid): boolean {
    this.#finder ??= openObjectFinder(this.#repository, this.#deps.files);
    const presence = this.#finder.find(oid);
    if (presence.kind === "absent") return false;
    if (presence.kind === "packed") return true;
    // its time of change says less: git renews that where it would write the object again
    const { birthMs } = presence;
    return birthMs < (this.#beginning?.startedMs ?? this.#call?.at ?? 0);
  }

  #format(): Oid {
    const base = this.#call?.base;
    return base !== undefined && isOid(base) ? base : ("0".repeat(40) as Oid);
  }

  #state(): GitState {
    this.#now ??= readGitState(this.#repository, this.#deps.files);
    return this.#now;
  }

  /** What a fetch during the call brought: new here, and not made here. */
  #fetched(): readonly Oid[] {
    const before = new Set(this.#beginning?.state.pointers["FETCH_HEAD"]);
    return (this.#state().pointers["FETCH_HEAD"] ?? []).filter((oid) => !before.has(oid));
  }

  /** Commits that content may have come from, the likeliest first. */
  #candidates(): string[] {
    const before = this.#beginning?.state;
    const now = this.#state();
    const moves = before && headMovesSince(this.#repository, this.#deps.files, before);
    const stashes = [...new Set([...now.stashes, ...(before?.stashes ?? [])])].reverse();
    const pointers = [now, before].flatMap((state) => Object.values(state?.pointers ?? {}).flat());
    return [
      ...(this.#call !== undefined && isOid(this.#call.base) ? [this.#call.base] : []),
      ...pointers.slice(0, maxRefs),
      ...(moves ?? []).flatMap(({ from, to }) => [to, from]).slice(0, maxRefs),
      // what was staged when it was stashed, and files that git did not know
      ...stashes.slice(0, maxRefs).flatMap((oid) => [oid, `${oid}^3`]),
      ...this.#listTips(),
    ].filter((oid) => !isNullOid(oid));
  }

  #listTips(): string[] {
    const { stdout } = runGitSync(this.#repository, this.#deps.processes, tipsArguments(maxRefs));
    return parseTips(stdout.toString("latin1"));
  }
}

/** The ids that content may have as a blob: as it is, and with the line ends that git stores. */
function blobOids(content: Buffer, like: Oid): Oid[] {
  const oids = [blobOidLike(content, like)];
  if (content.includes("\r\n"))
    oids.push(blobOidLike(Buffer.from(content.toString("latin1").replaceAll("\r\n", "\n"), "latin1"), like));
  return oids;
}
