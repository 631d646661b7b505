import type { Readable } from "node:stream";
import { asBuffer } from "../../base/bytes.ts";
import type { RunningProcess } from "../../system/process/processes.ts";
import { type Git, gitFailed } from "../git.ts";
import { isOid } from "../ids.ts";
import type { ObjectInfo, ObjectType } from "./objects.ts";

/** One answer of a bulk read. Its content must be taken (or left) before the next answer is asked for. */
export interface StreamedObject {
  /** As it was asked for. */
  readonly name: string;
  /** Undefined: the name resolves to nothing on this machine. */
  readonly info: ObjectInfo | undefined;
  /** The content in pieces of git's choosing; what is not taken is skipped. Pieces are the caller's to keep. */
  chunks(): AsyncGenerator<Buffer>;
  /** The whole content: for small objects. */
  bytes(): Promise<Buffer>;
}

/**
 * Reads many objects in the order asked, with bounded memory however large each is: one `git cat-file --batch` for all.
 * Objects that a partial clone lacks are reported as absent instead of being fetched behind the user's back.
 */
export async function* streamObjects(
  git: Git,
  names: Iterable<string> | AsyncIterable<string>,
): AsyncGenerator<StreamedObject> {
  const args = ["cat-file", "--batch", "--buffer"];
  const child = git.start(args, { env: { GIT_NO_LAZY_FETCH: "1" } });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (piece: string) => {
    stderr = (stderr + piece).slice(-4000);
  });
  child.stdin.on("error", () => undefined);
  const asked: string[] = [];
  const feed = feedNames(names, asked, child.stdin);
  // a failure of the names is thrown below, where the reader is
  feed.catch(() => child.kill());
  const reader = createPieceReader(child.stdout);
  let finished = false;
  try {
    for (;;) {
      const header = await reader.line();
      if (header === undefined) break;
      const name = asked.shift() ?? "";
      const info = parseHeader(header);
      const content = info === undefined ? undefined : reader.content(info.sizeBytes);
      yield toStreamedObject(name, info, content);
      await content?.skip();
    }
    await feed;
    finished = true;
    const { code, signal } = await child.exited;
    if (code !== 0) throw gitFailed(args, { code, signal, stderr });
  } finally {
    if (!finished) endEarly(child);
  }
}

/** Reads large objects one after the other through one long-lived process, each as a stream. */
export interface ObjectStream {
  /** The next object. What was not taken of the one before is skipped. */
  read(name: string): Promise<StreamedObject>;
  /** Objects that will be read in this order, so that git need not wait to be asked; one that is left out is skipped. */
  expect(names: readonly string[]): void;
  close(): Promise<void>;
}

export function openObjectStream(git: Git): ObjectStream {
  const args = ["cat-file", "--batch"];
  let started:
    | { readonly child: RunningProcess; readonly reader: ReturnType<typeof createPieceReader> }
    | undefined;
  let before: Content | undefined;
  const asked: string[] = [];

  function ask(names: readonly string[]) {
    if (started === undefined) {
      const child = git.start(args, { env: { GIT_NO_LAZY_FETCH: "1" } });
      child.stdin.on("error", () => undefined);
      child.stderr.resume();
      started = { child, reader: createPieceReader(child.stdout) };
    }
    asked.push(...names);
    started.child.stdin.write(names.map((name) => `${name}\n`).join(""));
    return started;
  }

  return {
    async read(name) {
      const { child, reader } = ask(asked.includes(name) ? [] : [name]);
      for (;;) {
        await before?.skip();
        const header = await reader.line();
        if (header === undefined) throw gitFailed(args, { ...(await child.exited), stderr: "" });
        const info = parseHeader(header);
        before = info === undefined ? undefined : reader.content(info.sizeBytes);
        if (asked.shift() === name) return toStreamedObject(name, info, before);
      }
    },
    expect(names) {
      if (names.length > 0) ask(names);
    },
    async close() {
      if (started === undefined) return;
      endEarly(started.child);
      await started.child.exited;
    },
  };
}

/** Output that nobody will read must be let go too: unread, it keeps the pipe open and the program alive. */
function endEarly(child: RunningProcess): void {
  child.kill("SIGKILL");
  child.stdout.destroy();
}

type Content = ReturnType<ReturnType<typeof createPieceReader>["content"]>;

function toStreamedObject(
  name: string,
  info: ObjectInfo | undefined,
  content: Content | undefined,
): StreamedObject {
  return {
    name,
    info,
    chunks: () => content?.chunks() ?? emptyChunks(),
    bytes: async () => collect(content?.chunks() ?? emptyChunks(), info?.sizeBytes ?? 0),
  };
}

const namesPerWrite = 256;
// git flushes its buffered answers only when it needs more input, so the names must never wait for the answers
async function feedNames(
  names: Iterable<string> | AsyncIterable<string>,
  asked: string[],
  stdin: NodeJS.WritableStream,
): Promise<void> {
  let batch: string[] = [];
  const flush = async () => {
    const text = batch.join("");
    batch = [];
    if (text !== "" && !stdin.write(text)) await drained(stdin);
  };
  for await (const name of names) {
    if (name.includes("\n")) continue;
    asked.push(name);
    batch.push(`${name}\n`);
    if (batch.length >= namesPerWrite) await flush();
  }
  await flush();
  stdin.end();
}

function drained(stream: NodeJS.WritableStream): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      stream.off("drain", done);
      stream.off("close", done);
      resolve();
    };
    stream.once("drain", done);
    stream.once("close", done);
  });
}

function parseHeader(header: string): ObjectInfo | undefined {
  const [oid, type, size, more] = header.split(" ");
  if (oid === undefined || size === undefined || more !== undefined || !isOid(oid)) return undefined;
  return { oid, type: type as ObjectType, sizeBytes: Number(size) };
}

/** Takes lines and counted contents alternately from a stream, pulling only as fast as the caller does. */
function createPieceReader(stdout: Readable) {
  const pieces = stdout[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let held: Buffer = Buffer.alloc(0);

  async function more(): Promise<boolean> {
    const next = await pieces.next();
    if (next.done === true) return false;
    held = held.length === 0 ? asBuffer(next.value) : Buffer.concat([held, next.value]);
    return true;
  }

  return {
    async line(): Promise<string | undefined> {
      for (;;) {
        const end = held.indexOf(0x0a);
        if (end !== -1) {
          const text = held.toString("utf8", 0, end);
          held = held.subarray(end + 1);
          return text;
        }
        if (!(await more())) return undefined;
      }
    },
    content(sizeBytes: number) {
      let left = sizeBytes;
      let terminated = false;
      async function* chunks(): AsyncGenerator<Buffer> {
        while (left > 0) {
          if (held.length === 0 && !(await more())) return;
          const piece = held.subarray(0, left);
          held = held.subarray(piece.length);
          left -= piece.length;
          yield piece;
        }
      }
      return {
        chunks,
        /** Leaves the reader behind the newline that ends the content. */
        async skip(): Promise<void> {
          for await (const _ of chunks());
          while (!terminated && held.length === 0 && (await more()));
          if (!terminated) held = held.subarray(1);
          terminated = true;
        },
      };
    },
  };
}

async function collect(chunks: AsyncGenerator<Buffer>, sizeBytes: number): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of chunks) pieces.push(piece);
  return pieces.length === 1 && pieces[0] !== undefined ? pieces[0] : Buffer.concat(pieces, sizeBytes);
}

async function* emptyChunks(): AsyncGenerator<Buffer> {}
