import type { JsonObject } from "../../base/json.ts";
import { splitLines } from "../../base/text/lines.ts";
import type { Git } from "../../git/git.ts";
import { isOid, type Oid, type RepoPath } from "../../git/ids.ts";
import type { CommitPatch, FilePatch } from "../../git/objects/file-patch.ts";
import type { ObjectReader } from "../../git/objects/objects.ts";
import { hasKeptStates, readKeptStates } from "../../journal/calls/kept-states.ts";
import { decodeLineOwners } from "../../journal/line-owners.ts";
import { hasPendingStates, readPendingStates } from "../../journal/pending/pending-states.ts";
import type { Clock } from "../../system/clock.ts";
import type { Files } from "../../system/files/files.ts";
import { metadataOfKnown } from "../note/known-owners.ts";
import type { AuthorshipLog } from "../note/log.ts";
import { addedRanges } from "../rules/added-lines.ts";
import { type CarrySource, type CarryTarget, carry, runsOfOwners } from "../rules/carry.ts";
import { type OwnerRuns, uncoveredRanges } from "../rules/owner-runs.ts";
import { type CommitFacts, readCommitFacts } from "./commit-facts.ts";
import { NoteBook } from "./note-book.ts";
import { type OwnedVersion, readOwnedVersion } from "./owned-versions.ts";
import { type Lead, type Pairing, Pairings } from "./pairings.ts";
import { type ContentQuestion, VersionSearch } from "./version-search.ts";

export interface FinderDeps {
  readonly git: Git;
  readonly reader: ObjectReader;
  readonly files: Files;
  readonly clock: Clock;
  /** How long contents are looked for in all, milliseconds (default: 2,000); what was not looked at stays unknown. */
  readonly searchMs?: number;
  /** True if nothing may be written, not even what can be made again. */
  readonly isReadOnly?: boolean;
}

/** Owners that were found for the lines of one commit, and where. */
export interface CarriedCommit {
  readonly claims: readonly { readonly path: RepoPath; readonly runs: OwnerRuns }[];
  /** Metadata that explains the keys. */
  readonly inherited: readonly JsonObject[];
  readonly pairings: readonly Pairing[];
}

/** A source, what explains its owners, and why it is one. */
interface Evidence {
  readonly source: CarrySource;
  readonly metadata: readonly JsonObject[];
  readonly pairing: Pairing;
}

/**
 * Finds where the lines of commits come from that nobody was seen writing: from what the commits say about themselves,
 * from stashes, and from contents that stood somewhere before. Commits are to be asked oldest first; what was found for
 * one is known to the next once it is told by `remember`.
 */
export class SourceFinder {
  readonly #deps: FinderDeps;
  readonly #book: NoteBook;
  readonly #pairings: Pairings;
  readonly #search: VersionSearch;
  readonly #unanswered: Set<Oid>;
  readonly #settled: ReadonlySet<Oid>;

  /**
   * @param asked the commits that are going to be asked about: none of them is a source before it was
   * @param settled those of which the journal has said what it knows: it is not asked about them again
   */
  constructor(
    deps: FinderDeps,
    { asked, settled }: { readonly asked: ReadonlySet<Oid>; readonly settled: ReadonlySet<Oid> },
  ) {
    this.#deps = deps;
    this.#unanswered = new Set(asked);
    this.#settled = settled;
    this.#book = new NoteBook(deps.git, deps.reader);
    this.#pairings = new Pairings(deps.git.repository, { ...deps, book: this.#book });
    this.#search = new VersionSearch(deps);
  }

  /** False where nobody owns anything yet, in no note, stash or journal. */
  async hasSources(): Promise<boolean> {
    const { git, files } = this.#deps;
    return (
      hasKeptStates(git.repository, files) ||
      hasPendingStates(git.repository, files) ||
      (await this.#book.listNoted()).size > 0
    );
  }

  /**
   * @param reported commits that git or a tool says this one was made from, the newest first
   * @returns undefined if every line of the commit has an owner already, or none was found
   */
  async find(patch: CommitPatch, reported: readonly Oid[] = []): Promise<CarriedCommit | undefined> {
    const facts = await readCommitFacts(this.#deps.reader, patch.commit);
    if (facts === undefined || facts.parents.length > 1) return undefined;
    await this.#book.load([patch.commit]);
    const claims: { path: RepoPath; runs: OwnerRuns }[] = [];
    const inherited: JsonObject[] = [];
    const pairings: Pairing[] = [];
    const gone = patch.files.flatMap(({ oldPath, newPath }) =>
      oldPath !== undefined && newPath === undefined ? [oldPath] : [],
    );
    for (const file of patch.files) {
      const path = file.newPath;
      const target =
        path === undefined || file.binary ? undefined : await this.#targetOf(patch.commit, path, file);
      if (path === undefined || target === undefined) continue;
      const found = await this.#ownersOf({ facts, reported, path, file, gone, target });
      if (found.runs.length === 0) continue;
      claims.push({ path, runs: found.runs });
      for (const { metadata, pairing } of found.used) {
        inherited.push(...metadata);
        if (!pairings.some(({ from, by }) => from === pairing.from && by === pairing.by))
          pairings.push(pairing);
      }
    }
    this.#unanswered.delete(patch.commit);
    return claims.length === 0 ? undefined : { claims, inherited, pairings };
  }

  /** True once contents are not looked for any more, since it took too long. */
  get isLate(): boolean {
    return this.#search.isLate;
  }

  /** Tells of a note that is going to be written. */
  async remember(commit: Oid, log: AuthorshipLog): Promise<void> {
    this.#book.add(commit, log);
    const facts = await readCommitFacts(this.#deps.reader, commit);
    if (facts !== undefined) this.#pairings.add(facts);
  }

  async #targetOf(commit: Oid, path: RepoPath, file: FilePatch): Promise<CarryTarget | undefined> {
    const open = uncoveredRanges(addedRanges(file.hunks), this.#book.runsOf(commit, path));
    if (open.length === 0) return undefined;
    const blob = await this.#deps.reader.read(`${commit}:${path}`);
    return blob?.type === "blob" ? { content: blob.content, open } : undefined;
  }

  async #ownersOf(question: Question): Promise<{ runs: OwnerRuns; used: Evidence[] }> {
    const told = [
      ...(await this.#toldSources(question)),
      ...(await this.#revertedSources(question)),
      ...this.#stashedSources(question),
    ];
    const first = carry(
      told.map(({ source }) => source),
      question.target,
    );
    const used = told.filter((_, index) => first.used.has(index));
    if (first.open.length === 0) return { runs: first.runs, used };
    const rest = { content: question.target.content, open: first.open };
    const found = await this.#foundSource({ ...question, target: rest });
    if (found === undefined) return { runs: first.runs, used };
    const second = carry([found.source], rest);
    const runs = [...first.runs, ...second.runs].sort((a, b) => a.first - b.first);
    return { runs, used: second.used.size === 0 ? used : [...used, found] };
  }

  async #toldSources({ facts, reported, path, file, target }: Question): Promise<Evidence[]> {
    const known = new Set(reported);
    const leads: Lead[] = [
      ...reported.map((from) => ({ from, by: "reported" as const, worth: "told" as const })),
      ...(await this.#pairings.listFor(facts)).filter(({ from }) => !known.has(from)),
    ];
    await this.#book.load(leads.map(({ from }) => from));
    const sources = await Promise.all(
      leads.map(async ({ from, by, worth }): Promise<Evidence[]> => {
        for (const candidate of this.#pathsIn(from, path, file)) {
          const runs = this.#book.runsOf(from, candidate);
          const blob = runs.length === 0 ? undefined : await this.#deps.reader.read(`${from}:${candidate}`);
          if (blob?.type !== "blob") continue;
          const isSamePath = candidate === path || candidate === file.oldPath;
          if (!isSamePath && !blob.content.equals(Buffer.from(target.content))) continue;
          const metadata = this.#book.metadataOf(from);
          const source = { content: blob.content, runs, isComplete: false, pairing: worth };
          return [{ source, metadata: metadata === undefined ? [] : [metadata], pairing: { from, by } }];
        }
        return [];
      }),
    );
    return sources.flat();
  }

  /** Where a file may lie in a commit that the asked one was made from: filters move directories. */
  #pathsIn(from: Oid, path: RepoPath, file: FilePatch): string[] {
    const elsewhere = this.#book.pathsOf(from).filter((other) => baseName(other) === baseName(path));
    return [...new Set([path, ...(file.oldPath === undefined ? [] : [file.oldPath]), ...elsewhere])];
  }

  /** What a revert brings back stood in the parent of the reverted commit. */
  async #revertedSources({ facts, path, file }: Question): Promise<Evidence[]> {
    const sources: Evidence[] = [];
    for (const reverted of facts.reverted) {
      for (const candidate of new Set([path, file.oldPath])) {
        if (candidate === undefined) continue;
        const version = await this.#version(`${reverted}^`, candidate, facts);
        if (version === undefined) continue;
        sources.push({ ...asEvidence(version, "told"), pairing: { from: reverted, by: "revert" } });
        break;
      }
    }
    return sources;
  }

  /** What was stashed, or is pending in some worktree: a stash can be popped in another one. */
  #stashedSources({ path, facts }: Question): Evidence[] {
    const { git, files } = this.#deps;
    const kept = readKeptStates(git.repository, files, path);
    // what was written after a commit was made can be no source of it
    const endMs = (facts.committerSeconds + 1) * 1000;
    const pending = this.#settled.has(facts.oid)
      ? []
      : readPendingStates(git.repository, files, path).filter(({ recordedMs }) => recordedMs < endMs);
    return [
      ...kept.map((state) => ({ ...state, pairing: { from: state.blob, by: "stash" as const } })),
      ...pending.map((state) => ({ ...state, pairing: { from: facts.oid, by: "journal" as const } })),
    ].map(({ content, runs, known, pairing }) => ({
      source: {
        content,
        runs: runsOfOwners(decodeLineOwners(runs, splitLines(content).length)),
        isComplete: false,
        pairing: "near" as const,
      },
      metadata: [metadataOfKnown(known)],
      pairing,
    }));
  }

  async #foundSource(question: Question): Promise<Evidence | undefined> {
    const { facts } = question;
    for await (const place of this.#search.places(question)) {
      const version = await this.#version(place.commit, place.path, facts);
      if (version === undefined || version.runs.length === 0) continue;
      const from = isOid(place.commit) ? place.commit : facts.oid;
      return { ...asEvidence(version, "found"), pairing: { from, by: "content" } };
    }
    return undefined;
  }

  #version(commit: string, path: string, facts: CommitFacts): Promise<OwnedVersion | undefined> {
    const limits = {
      self: facts.oid,
      unanswered: this.#unanswered,
      notAfterSeconds: facts.committerSeconds,
    };
    return readOwnedVersion({ ...this.#deps, book: this.#book }, { commit, path }, limits);
  }
}

interface Question extends ContentQuestion {
  readonly reported: readonly Oid[];
}

function asEvidence(version: OwnedVersion, pairing: "told" | "found"): Omit<Evidence, "pairing"> {
  const { content, runs, unknown, metadata } = version;
  return { source: { content, runs, unknown, isComplete: true, pairing }, metadata };
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
