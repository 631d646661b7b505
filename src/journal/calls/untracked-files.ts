import { join } from "node:path";
import { sha256Hex } from "../../base/digest.ts";
import type { RepoPath } from "../../git/ids.ts";
import type { Repository } from "../../git/repository.ts";
import type { Files } from "../../system/files/files.ts";
import { journalFolder } from "../layout.ts";
import { type StatMark, sameMark } from "../path-state.ts";

/** A file that git does not track, looked at before a shell call. */
export interface UntrackedFile {
  readonly path: RepoPath;
  readonly absolute: string;
  readonly mark: StatMark;
}

/** Where a file's bytes lie in the file of contents, and what they are. */
interface KeptFile {
  readonly mark: StatMark;
  readonly offset: number;
  readonly digest: string;
}

const maxFiles = 20_000;
const maxBytes = 256 * 1024 * 1024;
/** Bytes are gathered to this many before they are appended. */
const batchBytes = 4 * 1024 * 1024;

/**
 * What many untracked files hold, in one file beside the journal: `untracked/contents`, and `untracked/index.json` that
 * says where. A file is read again only when its mark changed, so a second look costs a `stat` each. Work happens under
 * the journal's lock; contents are there before the index names them, and what a crash leaves beyond it is unused.
 */
export class UntrackedFiles {
  readonly #files: Files;
  readonly #folder: string;
  #index: ReadonlyMap<string, KeptFile> | undefined;

  constructor(repository: Repository, files: Files) {
    this.#files = files;
    this.#folder = join(journalFolder(repository), "untracked");
  }

  /** Keeps what these files hold and releases all others; returns those that are too many or too large to keep. */
  keep(wanted: readonly UntrackedFile[]): UntrackedFile[] {
    const known = this.#isWasteful() ? new Map<string, KeptFile>() : this.#load();
    if (wanted.length === 0) {
      if (this.#files.statIfExists(this.#folder) !== undefined) this.#files.removeTree(this.#folder);
      this.#index = new Map();
      return [];
    }
    const unchanged = new Map<string, KeptFile>();
    const changed: UntrackedFile[] = [];
    for (const file of wanted) {
      const kept = known.get(file.path);
      if (kept !== undefined && sameMark(kept.mark, file.mark)) unchanged.set(file.path, kept);
      else changed.push(file);
    }
    if (changed.length === 0 && unchanged.size === known.size) return [];
    this.#files.makeFolder(this.#folder);
    const left = this.#append(unchanged, changed);
    this.#save(unchanged);
    return left;
  }

  /** True if what the file held when it had this mark is kept. */
  has(path: RepoPath, mark: StatMark): boolean {
    const kept = this.#load().get(path);
    return kept !== undefined && sameMark(kept.mark, mark);
  }

  /** What a file held when it had this mark. */
  content(path: RepoPath, mark: StatMark): Buffer | undefined {
    const kept = this.#load().get(path);
    if (kept === undefined || !this.has(path, mark)) return undefined;
    if (kept.mark.sizeBytes === 0) return Buffer.alloc(0);
    const where = { offsetBytes: kept.offset, chunkBytes: kept.mark.sizeBytes };
    for (const chunk of this.#files.readChunks(this.#contents, where)) {
      const content = Buffer.from(chunk);
      return sha256Hex(content) === kept.digest ? content : undefined;
    }
    return undefined;
  }

  /** Digests of all that is kept: a new file with one of them was copied or renamed. */
  digests(): Set<string> {
    return new Set([...this.#load().values()].map(({ digest }) => digest));
  }

  get #contents(): string {
    return join(this.#folder, "contents");
  }

  #append(into: Map<string, KeptFile>, changed: readonly UntrackedFile[]): UntrackedFile[] {
    if (into.size === 0) this.#files.remove(this.#contents);
    let offset = this.#files.statIfExists(this.#contents)?.sizeBytes ?? 0;
    const left: UntrackedFile[] = [];
    let batch: Buffer[] = [];
    let gathered = 0;
    const flush = () => {
      if (gathered > 0) this.#files.append(this.#contents, Buffer.concat(batch), { mode: 0o600 });
      [batch, gathered] = [[], 0];
    };
    for (const file of changed) {
      const isTooMuch = into.size >= maxFiles || offset + file.mark.sizeBytes > maxBytes;
      const content = isTooMuch ? undefined : this.#files.readIfExists(file.absolute);
      // one that grew since it was looked at is not what its mark says
      if (content === undefined || content.length !== file.mark.sizeBytes) {
        left.push(file);
        continue;
      }
      into.set(file.path, { mark: file.mark, offset, digest: sha256Hex(content) });
      batch.push(content);
      offset += content.length;
      gathered += content.length;
      if (gathered >= batchBytes) flush();
    }
    flush();
    return left;
  }

  /** True if more than half of the contents belongs to files that changed or went: then all is read again. */
  #isWasteful(): boolean {
    const sizeBytes = this.#files.statIfExists(this.#contents)?.sizeBytes ?? 0;
    const usedBytes = [...this.#load().values()].reduce((sum, { mark }) => sum + mark.sizeBytes, 0);
    return sizeBytes > 2 * usedBytes + batchBytes;
  }

  #load(): ReadonlyMap<string, KeptFile> {
    if (this.#index !== undefined) return this.#index;
    const bytes = this.#files.readIfExists(join(this.#folder, "index.json"));
    this.#index = new Map(bytes === undefined ? [] : parseIndex(bytes));
    return this.#index;
  }

  #save(index: ReadonlyMap<string, KeptFile>): void {
    const rows = [...index].map(([path, { mark, offset, digest }]) => [
      path,
      mark.mtimeMs,
      mark.ctimeMs,
      mark.sizeBytes,
      mark.inode,
      offset,
      digest,
    ]);
    this.#files.replaceWithoutSync(join(this.#folder, "index.json"), Buffer.from(JSON.stringify(rows)), {
      mode: 0o600,
    });
    this.#index = index;
  }
}

function parseIndex(bytes: Buffer): [string, KeptFile][] {
  try {
    const rows = JSON.parse(bytes.toString("utf8")) as [
      string,
      number,
      number,
      number,
      number,
      number,
      string,
    ][];
    return rows.map(([path, mtimeMs, ctimeMs, sizeBytes, inode, offset, digest]) => [
      path,
      { mark: { mtimeMs, ctimeMs, sizeBytes, inode }, offset, digest },
    ]);
  } catch {
    return []; // ours, and damaged: everything is read again
  }
}
