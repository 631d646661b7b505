import { decodePath } from "../../base/path-text.ts";
import type { Git } from "../../git/git.ts";
import { isOid, type Oid, type RepoPath } from "../../git/ids.ts";
import type { FilePatch } from "../../git/objects/file-patch.ts";
import type { ObjectReader } from "../../git/objects/objects.ts";
import type { Clock } from "../../system/clock.ts";
import type { Files } from "../../system/files/files.ts";
import { type CarryTarget, holdsLines } from "../rules/carry.ts";
import { listCandidateCommits } from "./candidate-commits.ts";
import type { CommitFacts } from "./commit-facts.ts";

const defaultSearchMs = 2000;
/** Earlier versions of a file that are compared. */
const maxVersions = 20;
/** Files which the commit takes away that one is compared with. */
const maxGone = 16;

export interface ContentQuestion {
  readonly facts: CommitFacts;
  readonly path: RepoPath;
  readonly file: FilePatch;
  /** Paths that the commit takes away. */
  readonly gone: readonly RepoPath[];
  readonly target: CarryTarget;
}

export interface SearchDeps {
  readonly git: Git;
  readonly reader: ObjectReader;
  readonly files: Files;
  readonly clock: Clock;
  /** How long contents are looked for in all, milliseconds (default: 2,000). */
  readonly searchMs?: number;
}

/** A file in a commit; the commit as a revision. */
export interface Place {
  readonly commit: string;
  readonly path: string;
}

/** Looks for content that holds all open lines of a target, where it may have stood before. */
export class VersionSearch {
  readonly #deps: SearchDeps;
  readonly #startedMs: number;
  readonly #searchMs: number;
  #candidates: Promise<readonly Oid[]> | undefined;
  #tree: { readonly commit: Oid; readonly paths: ReadonlyMap<string, readonly string[]> } | undefined;

  constructor(deps: SearchDeps) {
    this.#deps = deps;
    this.#startedMs = deps.clock.nowMs();
    this.#searchMs = deps.searchMs ?? defaultSearchMs;
  }

  /** True once the time is over: what is asked from then on is not looked for. */
  get isLate(): boolean {
    return this.#deps.clock.nowMs() - this.#startedMs > this.#searchMs;
  }

  /** Places that hold the lines, the likeliest first. */
  async *places(question: ContentQuestion): AsyncGenerator<Place> {
    if (this.isLate) return;
    yield* this.#elsewhere(question);
    if (this.isLate) return;
    yield* this.#before(question);
    if (!this.isLate) yield* this.#beside(question);
    if (!this.isLate) yield* this.#taken(question);
  }

  /** The same path on other branches, in stashes, and in what refs were moved away from. */
  async *#elsewhere({ facts, path, file, target }: ContentQuestion): AsyncGenerator<Place> {
    const { git, files, reader } = this.#deps;
    this.#candidates ??= listCandidateCommits(git, files);
    const seen = new Set<Oid>();
    for (const candidate of [path, file.oldPath]) {
      if (candidate === undefined) continue;
      const places = await Promise.all(
        (await this.#candidates).map(async (commit) => ({
          commit,
          blob: (await reader.info(`${commit}:${candidate}`))?.oid,
        })),
      );
      for (const { commit, blob } of places) {
        if (blob === undefined || seen.has(blob)) continue;
        if (!(await this.#holds(blob, target))) {
          seen.add(blob);
          continue;
        }
        // a commit that came after the asked one holds its lines because of it
        if (await this.#isAncestor(facts.oid, commit)) continue;
        seen.add(blob);
        yield { commit, path: candidate };
      }
    }
  }

  /** Earlier versions of the path in the commit's own past. */
  async *#before({ facts, path, target }: ContentQuestion): AsyncGenerator<Place> {
    const [parent] = facts.parents;
    if (parent === undefined) return;
    const args = ["log", `-${maxVersions}`, "--format=%H", "--no-show-signature", parent, "--", path];
    const result = await this.#deps.git.run(["--literal-pathspecs", ...args], {
      okCodes: [0, 128],
      timeoutMs: this.#searchMs,
    });
    const seen = new Set<Oid>();
    for (const commit of result.stdout.toString("latin1").split("\n").filter(isOid)) {
      for (const revision of [commit, `${commit}^`]) {
        const blob = (await this.#deps.reader.info(`${revision}:${path}`))?.oid;
        if (blob === undefined || seen.has(blob)) continue;
        seen.add(blob);
        if (await this.#holds(blob, target)) yield { commit: revision, path };
      }
    }
  }

  /** A whole file that stood at another path: copied, or moved by what git takes for a new or a changed file. */
  async *#beside({ facts, path }: ContentQuestion): AsyncGenerator<Place> {
    const [parent] = facts.parents;
    const blob = (await this.#deps.reader.info(`${facts.oid}:${path}`))?.oid;
    if (parent === undefined || blob === undefined) return;
    for (const other of (await this.#pathsByBlob(parent)).get(blob) ?? [])
      if (other !== path) yield { commit: parent, path: other };
  }

  /** Files that the commit takes away: moved over one that was there, which git does not take for a move. */
  async *#taken({ facts, gone, target }: ContentQuestion): AsyncGenerator<Place> {
    const [parent] = facts.parents;
    if (parent === undefined || gone.length > maxGone) return;
    for (const path of gone) {
      const blob = (await this.#deps.reader.info(`${parent}:${path}`))?.oid;
      if (blob !== undefined && (await this.#holds(blob, target))) yield { commit: parent, path };
    }
  }

  /** Where each blob of a commit's tree stands; only of the commit that was asked last. */
  async #pathsByBlob(commit: Oid): Promise<ReadonlyMap<string, readonly string[]>> {
    if (this.#tree?.commit !== commit) {
      const result = await this.#deps.git.run(["ls-tree", "-r", "-z", "--full-tree", commit], {
        okCodes: [0, 128],
      });
      const paths = new Map<string, string[]>();
      for (const entry of decodePath(result.stdout).split("\0")) {
        const [about = "", path] = entry.split("\t");
        const blob = about.slice(about.lastIndexOf(" ") + 1);
        if (path === undefined) continue;
        const known = paths.get(blob);
        if (known === undefined) paths.set(blob, [path]);
        else known.push(path);
      }
      this.#tree = { commit, paths };
    }
    return this.#tree.paths;
  }

  async #holds(blob: Oid, target: CarryTarget): Promise<boolean> {
    const object = await this.#deps.reader.read(blob);
    return object?.type === "blob" && holdsLines(object.content, target);
  }

  async #isAncestor(older: Oid, newer: Oid): Promise<boolean> {
    if (older === newer) return true;
    const result = await this.#deps.git.run(["merge-base", "--is-ancestor", older, newer], {
      okCodes: [0, 1, 128],
    });
    return result.code === 0;
  }
}
