import { KeyframeError } from "../../base/errors.ts";
import { tarBlockBytes, tarPadding } from "../../base/ustar.ts";
import { entryKinds, parseRawHeader, type RawTarHeader, type TarEntry, textOfName } from "./tar-entry.ts";

export interface TarMember {
  readonly entry: TarEntry;
  /** The bytes of a file, once, before the next member is asked for; what is not taken is skipped. */
  readonly content: () => AsyncGenerator<Buffer>;
}

export interface TarLimits {
  readonly maxEntries: number;
  /** Of all files together. */
  readonly maxContentBytes: number;
}

/** Longest path that Linux takes, with its end. */
const maxNameBytes = 4096;
const maxExtendedBytes = 1024 * 1024;

/**
 * The members of a tar, whoever wrote it, in bounded memory. `damaged` for what is not a tar or is cut off, `refused`
 * for members that have no meaning as files of a tree (sparse files, volumes), `too-large` beyond the limits.
 */
export async function* readTar(source: AsyncIterable<Buffer>, limits: TarLimits): AsyncGenerator<TarMember> {
  const bytes = new ByteSource(source);
  try {
    yield* members(bytes, limits);
  } finally {
    await bytes.close();
  }
}

async function* members(bytes: ByteSource, limits: TarLimits): AsyncGenerator<TarMember> {
  let count = 0;
  let contentBytes = 0;
  let extended: Partial<TarEntry> = {};
  for (;;) {
    const block = await bytes.take(tarBlockBytes);
    const raw = block === undefined ? undefined : parseRawHeader(block);
    if (raw === undefined) {
      if (block === undefined && count === 0) throw damaged("it is empty");
      return;
    }
    count += 1;
    if (count > limits.maxEntries)
      throw new KeyframeError("too-large", `the tar has more than ${limits.maxEntries} members`);
    const more = await readExtension(bytes, raw);
    if (more !== undefined) {
      extended = { ...extended, ...more };
      continue;
    }
    const entry = toEntry(raw, extended);
    extended = {};
    contentBytes += entry.sizeBytes;
    if (contentBytes > limits.maxContentBytes)
      throw new KeyframeError("too-large", `the files of the tar exceed ${limits.maxContentBytes} bytes`);
    let left = entry.sizeBytes;
    yield {
      entry,
      async *content() {
        while (left > 0) {
          const piece = await bytes.takeSome(left);
          left -= piece.length;
          yield piece;
        }
      },
    };
    await bytes.skip(left + tarPadding(entry.sizeBytes));
  }
}

/** What a member says about the next one; undefined if it is a member of its own. */
async function readExtension(bytes: ByteSource, raw: RawTarHeader): Promise<Partial<TarEntry> | undefined> {
  if (!["L", "K", "x", "g"].includes(raw.type)) return undefined;
  if (raw.sizeBytes > maxExtendedBytes) throw damaged("a name or an extended header is too long");
  const content = await bytes.take(raw.sizeBytes);
  if (content === undefined && raw.sizeBytes > 0) throw cutOff();
  await bytes.skip(tarPadding(raw.sizeBytes));
  const text = (content ?? Buffer.alloc(0)).toString("latin1");
  if (raw.type === "L") return { path: text.replace(/\0.*$/s, "") };
  if (raw.type === "K") return { linkTarget: text.replace(/\0.*$/s, "") };
  // global records are about the archive
  return raw.type === "g" ? {} : applyRecords(text);
}

/** Records of "<length> <key>=<value>\n". Keys that say nothing about a tree of files are passed over. */
function applyRecords(text: string): Partial<TarEntry> {
  const found: { -readonly [key in keyof TarEntry]?: TarEntry[key] } = {};
  for (let at = 0; at < text.length; ) {
    const length = /^(\d{1,7}) /.exec(text.slice(at, at + 9))?.[1];
    const record = text.slice(at, at + Number(length ?? 0));
    const match = /^\d+ ([^=]+)=(.*)\n$/s.exec(record);
    if (match === null) throw damaged("an extended header is malformed");
    const [, key = "", value = ""] = match;
    if (key.startsWith("GNU.sparse")) throw sparse();
    if (key === "path") found.path = value;
    else if (key === "linkpath") found.linkTarget = value;
    else if (key === "size") found.sizeBytes = wholeNumber(value);
    else if (key === "uid") found.userId = wholeNumber(value);
    else if (key === "gid") found.groupId = wholeNumber(value);
    else if (key === "mtime") found.modifiedAtS = Math.max(0, Math.floor(Number(value)) || 0);
    at += record.length;
  }
  return found;
}

function wholeNumber(text: string): number {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(value)) return value;
  throw damaged("a number of an extended header is not one");
}

function toEntry({ type, ...raw }: RawTarHeader, extended: Partial<TarEntry>): TarEntry {
  if (type === "S") throw sparse();
  const path = extended.path ?? raw.path;
  const kind = entryKinds[type];
  if (kind === undefined) {
    throw new KeyframeError(
      "refused",
      `${JSON.stringify(textOfName(path))} has type ${JSON.stringify(type)}, which is not a file of a tree`,
    );
  }
  if (path.length >= maxNameBytes || path.includes("\0")) throw damaged("a path is too long or holds a zero");
  const hasTarget = kind === "symlink" || kind === "hardlink";
  const entry = { ...raw, ...extended, path };
  if (hasTarget && (entry.linkTarget.length >= maxNameBytes || entry.linkTarget.includes("\0")))
    throw damaged("the target of a link is too long or holds a zero");
  return {
    ...entry,
    // tars of the first generation mark a directory by its name alone
    kind: kind === "file" && path.endsWith("/") ? "folder" : kind,
    sizeBytes: kind === "file" && !path.endsWith("/") ? entry.sizeBytes : 0,
    linkTarget: hasTarget ? entry.linkTarget : "",
  };
}

function sparse(): KeyframeError {
  return new KeyframeError("refused", "the tar holds a sparse file", {
    hint: "make the tar without --sparse",
  });
}

function damaged(why: string): KeyframeError {
  return new KeyframeError("damaged", `the tar is damaged: ${why}`);
}

function cutOff(): KeyframeError {
  return damaged("it ends in the middle of a member");
}

/** Bytes of a stream by count. */
class ByteSource {
  readonly #source: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** Undefined at the end; `damaged` if it comes before the count. */
  async take(count: number): Promise<Buffer | undefined> {
    if (this.#rest.length < count) {
      const pieces = [this.#rest];
      let total = this.#rest.length;
      while (total < count) {
        const piece = await this.#next();
        if (piece === undefined) {
          if (total === 0) return undefined;
          throw cutOff();
        }
        pieces.push(piece);
        total += piece.length;
      }
      this.#rest = Buffer.concat(pieces);
    }
    const taken = this.#rest.subarray(0, count);
    this.#rest = this.#rest.subarray(count);
    return taken;
  }

  /** At least one byte and at most so many. */
  async takeSome(most: number): Promise<Buffer> {
    while (this.#rest.length === 0) {
      const piece = await this.#next();
      if (piece === undefined) throw cutOff();
      this.#rest = piece;
    }
    const taken = this.#rest.subarray(0, most);
    this.#rest = this.#rest.subarray(taken.length);
    return taken;
  }

  async skip(count: number): Promise<void> {
    for (let left = count; left > 0; ) left -= (await this.takeSome(left)).length;
  }

  /** Tells the source that nobody reads on. */
  async close(): Promise<void> {
    await this.#source.return?.();
  }

  async #next(): Promise<Buffer | undefined> {
    const { done, value } = await this.#source.next();
    return done === true ? undefined : value;
  }
}
