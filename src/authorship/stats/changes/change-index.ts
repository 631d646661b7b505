import { basename, dirname, join } from "node:path";
import { crc32 } from "node:zlib";
import { keyframeVersion } from "../../../base/version.ts";
import { mayHaveRefsBelow, type Repository } from "../../../git/repository.ts";
import { indexDirectory, readIndexFile, writeIndexFile } from "../../../state/index-directory.ts";
import type { Files } from "../../../system/files/files.ts";
import { type CountedChange, decodeChange, encodeChange } from "./change-record.ts";

/*
 * <common dir>/keyframe-index/changes-<version>: one line a commit and note,
 * `<crc32 of the rest, 8 digits> <commit> <blob of the note, or -> <change-record.ts>`. Lines are only added. It is made from
 * commits and notes again where it is gone; a line that is not whole counts as none.
 */
const maxIndexBytes = 64 * 1024 * 1024;
const maxRecordBytes = 256 * 1024;
const flushBytes = 1024 * 1024;
const space = 0x20;
const newline = 0x0a;

/** Changes and claims of commits that were read before, by commit and note. */
export class ChangeIndex {
  readonly #files: Files;
  readonly #path: string;
  #bytes: Buffer = Buffer.alloc(0);
  readonly #places = new Map<string, { readonly start: number; readonly end: number }>();
  #added: Buffer[] = [];
  #addedBytes = 0;

  private constructor(files: Files, path: string) {
    this.#files = files;
    this.#path = path;
    this.#read();
  }

  /** Undefined where what commits say can change behind their ids: objects are replaced by others. */
  static open(repository: Repository, files: Files): ChangeIndex | undefined {
    if (mayHaveRefsBelow(repository, "refs/replace", files)) return undefined;
    return new ChangeIndex(files, join(indexDirectory(repository), `changes-${keyframeVersion}`));
  }

  find(key: string): CountedChange | undefined {
    const place = this.#places.get(key);
    if (place === undefined) return undefined;
    const line = this.#bytes.subarray(place.start, place.end);
    const content = line.subarray(9);
    if (line.toString("latin1", 0, 8) !== checkOf(content)) return undefined;
    try {
      return decodeChange(content.toString("utf8", key.length + 1));
    } catch {
      return undefined; // of another form under the same name: read from the commit as ever
    }
  }

  add(key: string, change: CountedChange): void {
    const content = Buffer.from(`${key} ${encodeChange(change)}`);
    if (content.length > maxRecordBytes) return;
    this.#added.push(Buffer.from(`${checkOf(content)} `), content, lineEnd);
    this.#addedBytes += content.length;
    if (this.#addedBytes > flushBytes) this.flush();
  }

  /** Keeps what was added. Where nothing can be written nothing is kept. */
  flush(): void {
    if (this.#added.length === 0) return;
    const isTorn = this.#bytes.length > 0 && this.#bytes.at(-1) !== newline;
    const content = Buffer.concat([...(isTorn ? [lineEnd] : []), ...this.#added]);
    this.#added = [];
    this.#addedBytes = 0;
    writeIndexFile(this.#files, this.#path, () => {
      if (this.#bytes.length === 0) this.#removeOthers();
      this.#files.append(this.#path, content);
    });
  }

  /** What other versions have read may be read differently now. */
  #removeOthers(): void {
    const directory = dirname(this.#path);
    for (const { name } of this.#files.listIfExists(directory) ?? [])
      if (name.startsWith("changes-") && name !== basename(this.#path))
        this.#files.remove(join(directory, name));
  }

  #read(): void {
    const size = this.#files.statIfExists(this.#path)?.sizeBytes ?? 0;
    if (size > maxIndexBytes) {
      this.#files.remove(this.#path);
      return;
    }
    this.#bytes = readIndexFile(this.#files, this.#path) ?? this.#bytes;
    for (let start = 0; start < this.#bytes.length; ) {
      const found = this.#bytes.indexOf(newline, start);
      const end = found === -1 ? this.#bytes.length : found;
      const commitEnd = this.#bytes.indexOf(space, start + 9);
      const keyEnd = this.#bytes.indexOf(space, commitEnd + 1);
      if (commitEnd !== -1 && keyEnd !== -1 && keyEnd < end)
        this.#places.set(this.#bytes.toString("latin1", start + 9, keyEnd), { start, end });
      start = end + 1;
    }
  }
}

const lineEnd = Buffer.from("\n");

/** CRC-32 as 8 hex digits. */
export function checkOf(content: Buffer | string): string {
  return crc32(content).toString(16).padStart(8, "0");
}
