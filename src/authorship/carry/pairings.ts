import { join } from "node:path";
import { sha256Hex } from "../../base/digest.ts";
import { isOid, type Oid } from "../../git/ids.ts";
import type { ObjectReader } from "../../git/objects/objects.ts";
import type { Repository } from "../../git/repository.ts";
import type { Files } from "../../system/files/files.ts";
import { type CommitFacts, readCommitFacts } from "./commit-facts.ts";
import type { NoteBook } from "./note-book.ts";

/** Why a commit is held to be made from another; written into its note. */
export type PairingReason =
  | "reported"
  | "message"
  | "change-id"
  | "authorship"
  | "revert"
  | "stash"
  | "journal"
  | "content";

export interface Pairing {
  readonly from: Oid;
  readonly by: PairingReason;
}

/** A pairing with what it is worth by itself: how identical lines count (see `CarrySource`). */
export interface Lead extends Pairing {
  readonly worth: "told" | "found";
}

export interface PairingDeps {
  readonly reader: ObjectReader;
  readonly files: Files;
  readonly book: NoteBook;
  /** True if the index is not to be written. */
  readonly isReadOnly?: boolean;
}

/** Commits read at once. */
const batch = 500;

/*
 * <common dir>/keyframe/carry/noted: one line a noted commit, `<id> <digest of its authorship> <change id or ->`.
 * Made from the commits again when it is gone.
 */

/** Finds commits with notes that another commit was made from, by what commits say about themselves. */
export class Pairings {
  readonly #repository: Repository;
  readonly #reader: ObjectReader;
  readonly #files: Files;
  readonly #book: NoteBook;
  readonly #isReadOnly: boolean;
  readonly #byAuthorship = new Map<string, Oid[]>();
  readonly #byChangeId = new Map<string, Oid[]>();
  #loaded: Promise<void> | undefined;

  constructor(repository: Repository, deps: PairingDeps) {
    this.#repository = repository;
    this.#reader = deps.reader;
    this.#files = deps.files;
    this.#book = deps.book;
    this.#isReadOnly = deps.isReadOnly ?? false;
  }

  /** Strongest first. A name in a message counts although the commit has no note: its own owners are looked for. */
  async listFor(facts: CommitFacts): Promise<Lead[]> {
    this.#loaded ??= this.#load();
    await this.#loaded;
    const leads: Lead[] = [];
    const add = (commits: readonly Oid[], by: PairingReason, worth: Lead["worth"] = "told") => {
      for (const from of commits) {
        if (from !== facts.oid && !leads.some((known) => known.from === from))
          leads.push({ from, by, worth });
      }
    };
    add(facts.picked, "message");
    add(facts.squashed, "message");
    add(facts.changeId === undefined ? [] : (this.#byChangeId.get(facts.changeId) ?? []), "change-id");
    const alike = await this.#authoredAlike(facts);
    add(alike.same, "authorship");
    add(alike.doubtful, "authorship", "found");
    return leads;
  }

  /** A noted commit that was found meanwhile. */
  add(facts: CommitFacts): void {
    this.#remember(facts.oid, digestOf(facts.authorship), facts.changeId);
  }

  /**
   * Commits by the same author at the same second. That alone proves nothing: a script makes several commits in one
   * second. The same work is what also has the subject, if the asked commit was made later than it was authored, which
   * only a rewrite is.
   */
  async #authoredAlike(facts: CommitFacts): Promise<{ readonly same: Oid[]; readonly doubtful: Oid[] }> {
    const alike = (this.#byAuthorship.get(digestOf(facts.authorship)) ?? []).filter(
      (oid) => oid !== facts.oid,
    );
    const known = await Promise.all(alike.map((oid) => readCommitFacts(this.#reader, oid)));
    const isRewrite = facts.committerSeconds > facts.authorSeconds;
    const isSame = (other: CommitFacts | undefined) => isRewrite && other?.subject === facts.subject;
    return {
      same: alike.filter((_, index) => isSame(known[index])),
      doubtful: alike.filter((_, index) => !isSame(known[index])),
    };
  }

  async #load(): Promise<void> {
    const path = join(this.#repository.commonDir, "keyframe", "carry", "noted");
    const known = new Set<string>();
    for (const line of this.#files.readIfExists(path)?.toString("latin1").split("\n") ?? []) {
      const [oid = "", authorship = "", changeId] = line.split(" ");
      if (!isOid(oid) || known.has(oid)) continue;
      known.add(oid);
      this.#remember(oid, authorship, changeId === "-" ? undefined : changeId);
    }
    const missing = [...(await this.#book.listNoted())].filter((oid) => !known.has(oid));
    const lines: string[] = [];
    for (let from = 0; from < missing.length; from += batch) {
      const facts = await Promise.all(
        missing.slice(from, from + batch).map((oid) => readCommitFacts(this.#reader, oid)),
      );
      for (const found of facts) {
        if (found === undefined) continue;
        this.add(found);
        lines.push(`${found.oid} ${digestOf(found.authorship)} ${found.changeId ?? "-"}\n`);
      }
    }
    if (lines.length === 0 || this.#isReadOnly) return;
    this.#files.makeFolder(join(path, ".."));
    this.#files.append(path, Buffer.from(lines.join("")));
  }

  #remember(oid: Oid, authorship: string, changeId: string | undefined): void {
    append(this.#byAuthorship, authorship, oid);
    if (changeId !== undefined) append(this.#byChangeId, changeId, oid);
  }
}

function append(map: Map<string, Oid[]>, key: string, oid: Oid): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [oid]);
  else if (!list.includes(oid)) list.push(oid);
}

function digestOf(authorship: string): string {
  return sha256Hex(authorship).slice(0, 24);
}
