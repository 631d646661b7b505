import { join } from "node:path";
import { sha256Hex } from "../../../base/digest.ts";
import { isKeyframeError } from "../../../base/errors.ts";
import type { Oid } from "../../../git/ids.ts";
import type { Files } from "../../../system/files/files.ts";
import { linesWith } from "./lines-with.ts";
import { saidTexts } from "./said-lines.ts";
import { cutText, type SearchText } from "./search-text.ts";

/**
 * What one stored version of something says; `key` names that version. Texts, or lines of a transcript as its agent wrote
 * them: those are parsed only where they may hold what is looked for, because parsing costs many times what reading does.
 */
export type SearchDocument = { readonly key: string } & (
  | { readonly texts: Iterable<SearchText> }
  | { readonly agent: string; readonly lines: Buffer }
);

/**
 * What all documents seen so far say, kept below git's own directory as segments: files that appear whole and never
 * change. A document is written once; two runs at the same time may both write it, which costs space and nothing else.
 * A segment that cannot be read is ignored, and its documents are indexed again.
 */
export interface SearchIndex {
  has(key: string): boolean;
  add(documents: AsyncIterable<SearchDocument> | Iterable<SearchDocument>): Promise<void>;
  /** Removes what documents say of which this is not true, and segments that cannot be read. */
  retain(isNamed: (key: string) => boolean): void;
  /** Texts that contain all words, in any case, by document. */
  find(words: readonly string[]): Generator<{ readonly key: string; readonly text: SearchText }>;
}

/**
 * A segment's first line is `{"documents":[{key, agent?, bytes}]}`, then come their lines one after the other: a
 * transcript's where an agent is named, else one text each.
 */
interface Entry {
  readonly key: string;
  readonly agent?: string;
  readonly bytes: number;
}

/** Part of the directory's name: another way to keep texts starts another index. */
const version = 2;
const segmentBytes = 8 * 1024 * 1024;

const namePrefix = "search-v";

export function searchFolder(commonDir: string): string {
  return join(commonDir, "keyframe", `${namePrefix}${version}`);
}

/** Those of earlier versions too, which hold the same texts. */
export function listSearchFolders(files: Files, commonDir: string): string[] {
  const parent = join(commonDir, "keyframe");
  return (files.listIfExists(parent) ?? [])
    .filter(({ name }) => name.startsWith(namePrefix))
    .map(({ name }) => join(parent, name));
}

export function openSearchIndex(files: Files, folder: string): SearchIndex {
  const segments = (files.listIfExists(folder) ?? []).filter(({ name }) =>
    /^[0-9a-f]{64}\.jsonl$/.test(name),
  );
  const places = new Map<string, string>();
  const written = new Map<string, readonly Entry[]>();
  for (const { name } of segments) {
    const entries = readSegment(files, join(folder, name))?.entries ?? [];
    written.set(name, entries);
    for (const { key } of entries) places.set(key, name);
  }

  function publish(entries: readonly Entry[], bodies: readonly Buffer[]): void {
    if (entries.length === 0) return;
    const content = Buffer.concat([Buffer.from(`${JSON.stringify({ documents: entries })}\n`), ...bodies]);
    const name = `${sha256Hex(content)}.jsonl`;
    files.makeFolder(folder);
    files.replaceWithoutSync(join(folder, name), content, { mode: 0o600 });
    written.set(name, entries);
    for (const { key } of entries) places.set(key, name);
  }

  return {
    has: (key) => places.has(key),
    async add(documents) {
      let entries = new Map<string, Entry>();
      let bodies: Buffer[] = [];
      let sizeBytes = 0;
      for await (const document of documents) {
        const { key } = document;
        if (places.has(key) || entries.has(key)) continue;
        const body = "lines" in document ? document.lines : encodeTexts(document.texts);
        entries.set(key, {
          key,
          ...("agent" in document ? { agent: document.agent } : {}),
          bytes: body.length,
        });
        bodies.push(body);
        sizeBytes += body.length;
        if (sizeBytes < segmentBytes) continue;
        publish([...entries.values()], bodies);
        entries = new Map();
        bodies = [];
        sizeBytes = 0;
      }
      publish([...entries.values()], bodies);
    },
    retain(isNamed) {
      for (const [name, entries] of [...written]) {
        if (entries.length > 0 && entries.every(({ key }) => isNamed(key))) continue;
        const kept = [...documentsOf(readSegment(files, join(folder, name)))].filter(({ entry }) =>
          isNamed(entry.key),
        );
        for (const { key } of entries) places.delete(key);
        written.delete(name);
        publish(
          kept.map(({ entry }) => entry),
          kept.map(({ body }) => body),
        );
        files.remove(join(folder, name));
      }
    },
    *find(words) {
      for (const name of new Set(places.values())) {
        for (const { entry, body } of documentsOf(readSegment(files, join(folder, name)))) {
          const { key, agent } = entry;
          // two runs may both have written it
          if (places.get(key) !== name) continue;
          for (const text of findTexts({ agent, body }, words)) yield { key, text };
        }
      }
    },
  };
}

function* documentsOf(
  segment: Segment | undefined,
): Generator<{ readonly entry: Entry; readonly body: Buffer }> {
  if (segment === undefined) return;
  let start = segment.bodiesAt;
  for (const entry of segment.entries) {
    yield { entry, body: segment.content.subarray(start, start + entry.bytes) };
    start += entry.bytes;
  }
}

function encodeTexts(texts: Iterable<SearchText>): Buffer {
  return Buffer.from([...texts].map((text) => `${JSON.stringify(text)}\n`).join(""));
}

/** Parts of texts, each of which contains all words. */
function* findTexts(
  { agent, body }: { readonly agent: string | undefined; readonly body: Buffer },
  words: readonly string[],
): Generator<SearchText> {
  const lines = linesWith(body, words);
  if (lines.length === 0) return;
  const texts =
    agent === undefined
      ? lines.map((line) => JSON.parse(line.toString("utf8")) as SearchText)
      : saidTexts(agent, Buffer.concat(lines));
  const wanted = words.map((word) => word.toLowerCase());
  for (const { kind, text } of texts) {
    for (const part of cutText(text)) {
      const said = part.toLowerCase();
      if (wanted.every((word) => said.includes(word))) yield { kind, text: part };
    }
  }
}

interface Segment {
  readonly content: Buffer;
  readonly entries: readonly Entry[];
  readonly bodiesAt: number;
}

/** Undefined where it is gone, or its name is not the digest of the content. */
function readSegment(files: Files, path: string): Segment | undefined {
  try {
    const content = files.read(path);
    if (!path.endsWith(`${sha256Hex(content)}.jsonl`)) return undefined;
    const bodiesAt = content.indexOf(0x0a) + 1;
    const { documents } = JSON.parse(content.toString("utf8", 0, bodiesAt)) as { documents: Entry[] };
    return { content, entries: documents, bodiesAt };
  } catch (error) {
    if (isKeyframeError(error, "not-found")) return undefined;
    throw error;
  }
}

/** Names the version of a session that a checkpoint holds. */
export function documentKey(kind: "transcript" | "prompt" | "metadata", oids: readonly Oid[]): string {
  return `${kind}:${oids.length === 1 ? (oids[0] ?? "") : sha256Hex(oids.join(" "))}`;
}
