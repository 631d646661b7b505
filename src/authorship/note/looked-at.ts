import { join } from "node:path";
import { sha256Hex } from "../../base/digest.ts";
import { keyframeVersion } from "../../base/version.ts";
import type { Repository } from "../../git/repository.ts";
import { indexDirectory, readIndexFile, writeIndexFile } from "../../state/index-directory.ts";
import type { Files } from "../../system/files/files.ts";

/*
 * <common dir>/keyframe-index/<name>: `<SHA-256 of the rest> <version> <digest of what it holds for>\n`, then one key a
 * line. May be removed at any time.
 */

/** Fewer are looked at again as quickly, and leave no file behind. */
const minKept = 50;

/** Things that a check found nothing wrong with, so that it need not look again. */
export class LookedAt {
  readonly #files: Files;
  readonly #path: string;
  readonly #head: string;
  readonly #before: ReadonlySet<string>;
  readonly #now = new Set<string>();

  /** @param holdsFor what the answers depend on beside the keys: with another one nothing was looked at */
  constructor(
    repository: Repository,
    files: Files,
    { name, holdsFor }: { readonly name: string; readonly holdsFor: string },
  ) {
    this.#files = files;
    this.#path = join(indexDirectory(repository), name);
    this.#head = `${keyframeVersion} ${sha256Hex(holdsFor)}`;
    this.#before = this.#read();
  }

  has(key: string): boolean {
    const isKnown = this.#before.has(key);
    if (isKnown) this.#now.add(key);
    return isKnown;
  }

  add(key: string): void {
    this.#now.add(key);
  }

  /** Keeps what was asked for and what was added; the rest is gone. Where nothing can be written nothing is kept. */
  save(): void {
    if (this.#now.size < minKept) return;
    if (this.#now.size === this.#before.size && [...this.#now].every((key) => this.#before.has(key))) return;
    const rest = `${this.#head}\n${[...this.#now].map((key) => `${key}\n`).join("")}`;
    writeIndexFile(this.#files, this.#path, () =>
      this.#files.replaceWithoutSync(this.#path, Buffer.from(`${sha256Hex(rest)} ${rest}`)),
    );
  }

  #read(): ReadonlySet<string> {
    const text = readIndexFile(this.#files, this.#path)?.toString("latin1") ?? "";
    const rest = text.slice(text.indexOf(" ") + 1);
    if (!rest.startsWith(`${this.#head}\n`) || !text.startsWith(sha256Hex(rest))) return new Set();
    return new Set(
      rest
        .slice(this.#head.length + 1)
        .split("\n")
        .filter(Boolean),
    );
  }
}
