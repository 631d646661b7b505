import type { RunningProcess } from "../../system/process/processes.ts";
import { type Git, gitFailed } from "../git.ts";
import { isOid } from "../ids.ts";
import { openObjectReader } from "./objects.ts";

/** What a bulk read found of one object. */
export type SmallObject = Buffer | "missing" | "oversized";

/** What a bulk read found, by name. */
export type SmallObjects = Map<string, SmallObject>;

/** One bulk read: see `SmallObjectReader.read`. */
export async function readSmallObjects(
  git: Git,
  oids: Iterable<string>,
  maxBytes: number,
): Promise<SmallObjects> {
  const reader = openSmallObjectReader(git);
  try {
    return await reader.read(oids, maxBytes);
  } finally {
    await reader.close();
  }
}

/** Several bulk reads, one after the other, through one git that starts with the first. */
export interface SmallObjectReader {
  /** Some small objects, by name. Sizes are asked for first: what is over the limit is never unpacked. */
  read(oids: Iterable<string>, maxBytes: number): Promise<SmallObjects>;
  /**
   * Many of them, each once, so that memory holds few. What all together are is limited too, and what is over that is
   * `oversized`: a few bytes in a repository can stand for gigabytes.
   */
  each(
    oids: Iterable<string>,
    maxBytes: number,
    look: (name: string, object: SmallObject) => void,
  ): Promise<void>;
  close(): Promise<void>;
}

/** What many objects may hold together beyond `freeBytes` each; from there on what they take on disk counts too. */
const maxExcessBytes = 64 * 1024 * 1024;

/** Metadata and prompts have about so many bytes; they are read however many there are. */
const freeBytes = 4096;

/** An object that is larger than that may be so many times as large as what it takes on disk: JSON has about 5. */
const maxGrowth = 16;

/** Contents that git is asked for at once, bytes. */
const bytesPerRequest = 8 * 1024 * 1024;

export function openSmallObjectReader(git: Git): SmallObjectReader {
  const batch = createBatch(git);

  async function measure(names: readonly string[]): Promise<Sizes> {
    const sizes = names.length === 0 ? [] : await batch.sizes(names);
    return new Map(names.map((name, at) => [name, sizes[at]]));
  }

  async function take(
    sizes: Sizes,
    isOversized: (name: string, sizeBytes: number) => boolean,
    look: (name: string, object: SmallObject) => void,
  ): Promise<void> {
    let group: string[] = [];
    let groupBytes = 0;
    for (const [name, sizeBytes] of sizes) {
      if (sizeBytes === undefined) look(name, "missing");
      else if (isOversized(name, sizeBytes)) look(name, "oversized");
      else {
        group.push(name);
        groupBytes += sizeBytes;
      }
      if (groupBytes < bytesPerRequest) continue;
      await batch.contents(group, look);
      group = [];
      groupBytes = 0;
    }
    await batch.contents(group, look);
  }

  return {
    async read(oids, maxBytes) {
      const found: SmallObjects = new Map();
      const sizes = await measure([...new Set(oids)]);
      for (const name of sizes.keys()) found.set(name, "missing");
      await take(
        sizes,
        (_, sizeBytes) => sizeBytes > maxBytes,
        (name, object) => found.set(name, object),
      );
      return found;
    },
    async each(oids, maxBytes, look) {
      const sizes = await measure([...new Set(oids)]);
      const refused = await beyondBudget(git, sizes, maxBytes);
      await take(sizes, (name, sizeBytes) => sizeBytes > maxBytes || refused.has(name), look);
    },
    close: () => batch.close(),
  };
}

/** By name, in the order asked; undefined: not here. */
type Sizes = ReadonlyMap<string, number | undefined>;

/** Those that would make the whole larger than a repository of that size has any use for. */
async function beyondBudget(git: Git, sizes: Sizes, maxBytes: number): Promise<ReadonlySet<string>> {
  const large = [...sizes].flatMap(([name, sizeBytes = 0]) =>
    sizeBytes > freeBytes && sizeBytes <= maxBytes ? [{ name, sizeBytes }] : [],
  );
  const refused = new Set<string>();
  if (large.reduce((sum, { sizeBytes }) => sum + sizeBytes - freeBytes, 0) <= maxExcessBytes) return refused;
  const objects = openObjectReader(git, { lazyFetch: false });
  const stored = await Promise.all(large.map(({ name }) => objects.sizeOnDisk(name)));
  await objects.close();
  let leftBytes = maxExcessBytes;
  for (const [at, { name, sizeBytes }] of large.entries()) {
    const beyondBytes = Math.max(0, sizeBytes - Math.max(freeBytes, maxGrowth * (stored[at] ?? 0)));
    if (beyondBytes > leftBytes) refused.add(name);
    else leftBytes -= beyondBytes;
  }
  return refused;
}

/** One git that gives sizes and contents in the order asked. */
function createBatch(git: Git) {
  const args = ["cat-file", "--batch-command", "--buffer"];
  let started: { readonly child: RunningProcess; readonly pieces: AsyncIterator<Buffer> } | undefined;
  let stderr = "";
  let held: Buffer = Buffer.alloc(0);

  function start() {
    const child = git.start(args, { env: { GIT_NO_LAZY_FETCH: "1" } });
    child.stderr.setEncoding("utf8").on("data", (piece: string) => {
      stderr = (stderr + piece).slice(-4000);
    });
    child.stdin.on("error", () => undefined);
    return { child, pieces: child.stdout[Symbol.asyncIterator]() as AsyncIterator<Buffer> };
  }

  function ask(command: "info" | "contents", names: readonly string[]): void {
    started ??= start();
    started.child.stdin.write(`${names.map((name) => `${command} ${name}\n`).join("")}flush\n`);
  }

  async function more(): Promise<Buffer> {
    if (started === undefined) throw new Error("git was not asked");
    const next = await started.pieces.next();
    if (next.done === true) throw gitFailed(args, { ...(await started.child.exited), stderr });
    return next.value;
  }

  /** Leaves at least so many bytes in `held`; pieces are put together once, however many they are. */
  async function hold(sizeBytes: number): Promise<void> {
    const pieces = [held];
    for (let bytes = held.length; bytes < sizeBytes; ) {
      const piece = await more();
      pieces.push(piece);
      bytes += piece.length;
    }
    if (pieces.length > 1) held = Buffer.concat(pieces);
  }

  async function header(): Promise<number | undefined> {
    let end = held.indexOf(0x0a);
    while (end === -1) {
      held = Buffer.concat([held, await more()]);
      end = held.indexOf(0x0a);
    }
    const [oid = "", , size, rest] = held.toString("latin1", 0, end).split(" ");
    held = held.subarray(end + 1);
    return size === undefined || rest !== undefined || !isOid(oid) ? undefined : Number(size);
  }

  return {
    async sizes(names: readonly string[]): Promise<(number | undefined)[]> {
      ask("info", names);
      const sizes: (number | undefined)[] = [];
      while (sizes.length < names.length) sizes.push(await header());
      return sizes;
    },
    async contents(
      names: readonly string[],
      look: (name: string, object: SmallObject) => void,
    ): Promise<void> {
      if (names.length === 0) return;
      ask("contents", names);
      for (const name of names) {
        const sizeBytes = await header();
        if (sizeBytes === undefined) {
          look(name, "missing");
          continue;
        }
        await hold(sizeBytes + 1);
        look(name, held.subarray(0, sizeBytes));
        held = held.subarray(sizeBytes + 1);
      }
    },
    async close(): Promise<void> {
      if (started === undefined) return;
      started.child.stdin.end();
      started.child.stdout.resume();
      await started.child.exited;
    },
  };
}
