import { KeyframeError } from "../../base/errors.ts";
import { encodePath } from "../../base/path-text.ts";
import type { RunningProcess } from "../../system/process/processes.ts";
import { type Git, gitFailed } from "../git.ts";
import { isOid, type Oid } from "../ids.ts";

export type ObjectType = "blob" | "tree" | "commit" | "tag";

export interface ObjectInfo {
  readonly oid: Oid;
  readonly type: ObjectType;
  readonly sizeBytes: number;
}

export interface GitObject extends ObjectInfo {
  readonly content: Buffer;
}

/**
 * Reads objects through one long-lived `git cat-file --batch` and, where only sizes are asked for, one
 * `--batch-check`. Requests are pipelined: ask for many without awaiting each. A name is anything git resolves
 * (`HEAD:path`); undefined means that it names nothing here.
 */
export interface ObjectReader {
  read(name: string): Promise<GitObject | undefined>;
  info(name: string): Promise<ObjectInfo | undefined>;
  /** What an object takes where it is, bytes: as compressed, or as a difference to another. */
  sizeOnDisk(name: string): Promise<number | undefined>;
  close(): Promise<void>;
}

export interface ObjectReaderOptions {
  /** False: what a partial clone lacks is absent, instead of fetched behind the user's back. True by default. */
  readonly lazyFetch?: boolean;
}

export function openObjectReader(git: Git, { lazyFetch = true }: ObjectReaderOptions = {}): ObjectReader {
  let contents: BatchProcess | undefined;
  let checks: BatchProcess | undefined;
  let disk: BatchProcess | undefined;
  return {
    async read(name) {
      contents ??= startBatch(git, "--batch", lazyFetch);
      const answer = await contents.ask(await oneLineName(git, name));
      return answer === undefined ? undefined : { ...answer.info, content: answer.content };
    },
    async info(name) {
      checks ??= startBatch(git, "--batch-check", lazyFetch);
      return (await checks.ask(await oneLineName(git, name)))?.info;
    },
    async sizeOnDisk(name) {
      // in the form of a check's answer
      disk ??= startBatch(git, "--batch-check=%(objectname) blob %(objectsize:disk)", lazyFetch);
      return (await disk.ask(await oneLineName(git, name)))?.info.sizeBytes;
    },
    async close() {
      await Promise.all([contents?.close(), checks?.close(), disk?.close()]);
    },
  };
}

/** Objects in the order of their names; while one is worked on, the next few are on their way. */
export async function* readInOrder(
  reader: Pick<ObjectReader, "read">,
  names: readonly string[],
): AsyncGenerator<GitObject | undefined> {
  const asked: Promise<GitObject | undefined>[] = [];
  for (let at = 0; at < names.length; at += 1) {
    for (const name of names.slice(asked.length, at + readAhead)) {
      const answer = reader.read(name);
      answer.catch(() => undefined); // it fails where it is awaited
      asked.push(answer);
    }
    yield await asked[at];
    asked[at] = Promise.resolve(undefined); // its content is done with
  }
}

const readAhead = 32;

/** A name with a newline in it is resolved first: batches are asked by lines. */
async function oneLineName(git: Git, name: string): Promise<string> {
  if (!name.includes("\n")) return name;
  const args = ["rev-parse", "--verify", "--quiet", "--end-of-options", name];
  const { stdout } = await git.run(args, { okCodes: [0, 1, 128] });
  // older git echoes the separator
  return stdout.toString("latin1").trim().split("\n").at(-1) ?? "";
}

interface Answer {
  readonly info: ObjectInfo;
  readonly content: Buffer;
}

interface Waiter {
  resolve(answer: Answer | undefined): void;
  reject(error: Error): void;
}

interface BatchProcess {
  ask(name: string): Promise<Answer | undefined>;
  close(): Promise<void>;
}

function startBatch(git: Git, mode: "--batch" | `--batch-check${string}`, lazyFetch: boolean): BatchProcess {
  const args = ["cat-file", mode];
  const child: RunningProcess = git.start(args, lazyFetch ? {} : { env: { GIT_NO_LAZY_FETCH: "1" } });
  const waiters: Waiter[] = [];
  const parser = createAnswerParser(mode === "--batch");
  let stderr = "";
  let closed = false;
  child.stderr.setEncoding("utf8").on("data", (piece: string) => {
    stderr = (stderr + piece).slice(-4000);
  });
  child.stdout.on("data", (piece: Buffer) => {
    for (const answer of parser.push(piece)) waiters.shift()?.resolve(answer);
  });
  const failAll = (why: () => Error) => {
    closed = true;
    if (waiters.length === 0) return;
    const error = why();
    for (const waiter of waiters.splice(0)) waiter.reject(error);
  };
  child.stdin.on("error", () => undefined);
  // what is asked at once is written at once
  let isHeld = false;
  const hold = () => {
    if (isHeld) return;
    isHeld = true;
    child.stdin.cork();
    process.nextTick(() => {
      isHeld = false;
      child.stdin.uncork();
    });
  };
  const ended = child.exited.then(
    ({ code, signal }) => failAll(() => gitFailed(args, { code, signal, stderr })),
    (error: Error) => failAll(() => error),
  );
  return {
    ask(name) {
      if (name === "") return Promise.resolve(undefined);
      if (closed) return Promise.reject(new KeyframeError("program-failed", "git cat-file has ended"));
      return new Promise((resolve, reject) => {
        waiters.push({ resolve, reject });
        hold();
        child.stdin.write(encodePath(`${name}\n`));
      });
    },
    async close() {
      child.stdin.end();
      await ended;
    },
  };
}

/** Cuts the output of `cat-file --batch[-check]` into answers; undefined is "missing" or "ambiguous". */
function createAnswerParser(withContent: boolean) {
  let pieces: Buffer[] = [];
  let heldBytes = 0;
  let open: ObjectInfo | undefined;

  function* drain(): Generator<Answer | undefined> {
    for (;;) {
      const needBytes = open === undefined ? 1 : open.sizeBytes + 1;
      if (heldBytes < needBytes) return;
      const held = pieces.length === 1 && pieces[0] !== undefined ? pieces[0] : Buffer.concat(pieces);
      pieces = [held];
      if (open !== undefined) {
        yield { info: open, content: held.subarray(0, open.sizeBytes) };
        keep(held.subarray(open.sizeBytes + 1));
        open = undefined;
        continue;
      }
      const end = held.indexOf(0x0a);
      if (end === -1) return;
      const header = held.toString("utf8", 0, end).split(" ");
      keep(held.subarray(end + 1));
      const [oid, type, size] = header;
      if (header.length !== 3 || oid === undefined || !isOid(oid)) yield undefined;
      else {
        const info: ObjectInfo = { oid, type: type as ObjectType, sizeBytes: Number(size) };
        if (withContent) open = info;
        else yield { info, content: Buffer.alloc(0) };
      }
    }
  }

  function keep(rest: Buffer): void {
    pieces = rest.length === 0 ? [] : [rest];
    heldBytes = rest.length;
  }

  return {
    *push(piece: Buffer): Generator<Answer | undefined> {
      pieces.push(piece);
      heldBytes += piece.length;
      yield* drain();
    },
  };
}
