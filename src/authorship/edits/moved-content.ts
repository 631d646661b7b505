import type { RepoPath } from "../../git/ids.ts";
import type { Journal } from "../../journal/log/journal.ts";
import type { PathHead } from "../../journal/path-state.ts";
import { type PathSnapshot, snapshotContent } from "./path-snapshot.ts";
import type { EarlierContent, OwnedState } from "./record-edit.ts";

/** Vanished files that one changed file is compared with. */
const maxOrigins = 16;

export interface CallChanges {
  readonly captures: ReadonlyMap<RepoPath, PathSnapshot>;
  /** What the call's commit holds of paths of which the journal knows nothing. */
  readonly committed: ReadonlyMap<RepoPath, Buffer | null>;
  /** Paths that differed from their commit when the call began. */
  readonly dirtyBefore: readonly RepoPath[];
  /** Digests of what else is known to have been there. */
  readonly alsoThere: Iterable<string>;
}

type Twin = PathHead | "committed";

/** A file that was there before the call and is not after it. */
interface Gone {
  readonly path: RepoPath;
  readonly head?: PathHead;
  /** Where only a commit knows it. */
  readonly content?: Buffer;
}

/**
 * What other paths held before a call: a file with the same content was renamed or copied from one, and a file that
 * was also edited has its lines from one that is gone.
 */
export class MovedContent {
  readonly #journal: Journal;
  readonly #twins = new Map<string, Twin>();
  readonly #gone: readonly Gone[];
  readonly #states = new Map<PathHead, OwnedState[]>();

  /** Looks at the journal as it is now: to be made before anything of the call is recorded. */
  constructor(journal: Journal, { captures, committed, dirtyBefore, alsoThere }: CallChanges) {
    this.#journal = journal;
    const isGone = (path: RepoPath) => captures.get(path)?.kind === "absent";
    const gone: Gone[] = [];
    for (const path of new Set([...dirtyBefore, ...captures.keys()])) {
      const head = journal.head(path);
      const content = committed.get(path);
      if (head !== undefined && head.current.kind === "file") {
        this.#twins.set(head.current.digest, head);
        if (isGone(path)) gone.push({ path, head });
      } else if (content && isGone(path)) {
        this.#twins.set(snapshotContent(content).digest, "committed");
        gone.push({ path, content });
      }
    }
    for (const digest of alsoThere) if (!this.#twins.has(digest)) this.#twins.set(digest, "committed");
    this.#gone = gone;
    // recording one path may drop what it held, while another one still has to be compared with it
    for (const [path, after] of captures) for (const head of this.#headsFor(path, after)) this.#stateOf(head);
  }

  /** Where exactly this content stood. */
  twinOf(after: PathSnapshot): Twin | undefined {
    return after.kind === "file" ? this.#twins.get(after.digest) : undefined;
  }

  /** With what stood at other paths before the call. */
  add(path: RepoPath, after: PathSnapshot, earlier: EarlierContent): EarlierContent {
    if (after.kind !== "file") return earlier;
    const versions = this.#near(path).flatMap(({ content }) => content ?? []);
    return {
      isWhole: earlier.isWhole || this.twinOf(after) === "committed",
      states: [...earlier.states, ...this.#headsFor(path, after).flatMap((head) => this.#stateOf(head))],
      versions: [...earlier.versions, ...versions],
    };
  }

  #headsFor(path: RepoPath, after: PathSnapshot): PathHead[] {
    if (after.kind !== "file") return [];
    const twin = this.twinOf(after);
    const near = this.#near(path).flatMap(({ head }) => head ?? []);
    return twin === undefined || twin === "committed" ? near : [twin, ...near];
  }

  /** Files that are gone, the ones of the same name first. */
  #near(path: RepoPath): Gone[] {
    const name = baseName(path);
    const isNamesake = (other: { readonly path: RepoPath }) => baseName(other.path) === name;
    const namesakes = this.#gone.filter(isNamesake);
    const others = this.#gone.length <= maxOrigins ? this.#gone.filter((other) => !isNamesake(other)) : [];
    return [...namesakes, ...others].filter((other) => other.path !== path).slice(0, maxOrigins);
  }

  #stateOf(head: PathHead): OwnedState[] {
    const known = this.#states.get(head);
    if (known !== undefined) return known;
    const { current, agents, humans, evidence } = head;
    const content = current.unlined === undefined ? this.#journal.content(head, current) : undefined;
    const states =
      content === undefined ? [] : [{ content, runs: current.runs, known: { agents, humans, evidence } }];
    this.#states.set(head, states);
    return states;
  }
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
