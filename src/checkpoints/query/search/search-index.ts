import { join } from "node:path";
import { sha256Hex } from "../../../base/digest.ts";
import { isKeyframeError } from "../../../base/errors.ts";
import { readLines } from "../../../base/text/lines.ts";
import type { Oid } from "../../../git/ids.ts";
import type { Files } from "../../../system/files/files.ts";

/** Something a person may look for: a prompt, a part of a summary, or what was said in a transcript. */
export interface SearchText {
  readonly kind: "prompt" | "summary" | "user" | "assistant" | "tool";
  readonly text: string;
  /** Raw transcript line (0-based) of what was said. */
  readonly line?: number;
}

/** A document is what one stored version of something holds; `key` names that version. */
export interface SearchDocument {
  readonly key: string;
  readonly texts: Iterable<SearchText>;
}

/**
 * The texts of all documents seen so far, kept below git's own directory as segments: files that appear whole and never
 * change. A document is written once; two runs at the same time may both write it, which costs space and nothing else.
 * A segment that cannot be read is ignored, and its documents are indexed again.
 */
export interface SearchIndex {
  has(key: string): boolean;
  add(documents: AsyncIterable<SearchDocument> | Iterable<SearchDocument>): Promise<void>;
  /** Texts that contain all words, in any case, by document. */
  find(words: readonly string[]): Generator<{ readonly key: string; readonly text: SearchText }>;
}

/** Part of the directory's name: another way to extract texts starts another index. */
const version = 1;
const segmentBytes = 8 * 1024 * 1024;
// long texts are kept in parts that overlap, so that what is looked for may lie across a cut
const partChars = 20_000;
const overlapChars = 500;
const maxIndexLineBytes = 16 * 1024 * 1024;

export function searchFolder(commonDir: string): string {
  return join(commonDir, "keyframe", `search-v${version}`);
}

export function openSearchIndex(files: Files, folder: string): SearchIndex {
  const segments = (files.listIfExists(folder) ?? []).filter(({ name }) =>
    /^[0-9a-f]{64}\.jsonl$/.test(name),
  );
  const keys = new Map<string, string>();
  for (const { name } of segments) {
    for (const key of readKeys(files, join(folder, name))) keys.set(key, name);
  }

  function publish(lines: readonly string[], documents: readonly string[]): void {
    if (documents.length === 0) return;
    const body = Buffer.from(`${JSON.stringify({ documents })}\n${lines.join("")}`);
    const name = `${sha256Hex(body)}.jsonl`;
    files.makeFolder(folder);
    files.replaceWithoutSync(join(folder, name), body, { mode: 0o600 });
    for (const key of documents) keys.set(key, name);
  }

  return {
    has: (key) => keys.has(key),
    async add(documents) {
      let lines: string[] = [];
      let sizeBytes = 0;
      let done = new Set<string>();
      for await (const { key, texts } of documents) {
        if (keys.has(key) || done.has(key)) continue;
        for (const { kind, text, line } of texts) {
          for (const part of cutText(text)) {
            const entry = `${JSON.stringify({ key, kind, line, text: part })}\n`;
            lines.push(entry);
            sizeBytes += entry.length;
          }
        }
        done.add(key);
        if (sizeBytes < segmentBytes) continue;
        publish(lines, [...done]);
        lines = [];
        done = new Set();
        sizeBytes = 0;
      }
      publish(lines, [...done]);
    },
    *find(words) {
      const parts = words.map((word) => JSON.stringify(word).slice(1, -1).toLowerCase());
      for (const name of new Set(keys.values())) {
        let first = true;
        for (const line of readLines(files.readChunks(join(folder, name)), maxIndexLineBytes)) {
          const skip = first || "oversized" in line;
          first = false;
          if (skip || "oversized" in line) continue;
          const raw = line.bytes.toString("utf8");
          const lower = raw.toLowerCase();
          if (!parts.every((part) => lower.includes(part))) continue;
          const { key, kind, line: at, text } = JSON.parse(raw) as SearchText & { key: string };
          // the match may lie in the key or the field names
          const said = text.toLowerCase();
          if (keys.get(key) !== name || !words.every((word) => said.includes(word.toLowerCase()))) continue;
          yield { key, text: { kind, text, ...(at === undefined ? {} : { line: at }) } };
        }
      }
    },
  };
}

function* cutText(text: string): Generator<string> {
  for (let from = 0; from === 0 || from + overlapChars < text.length; from += partChars - overlapChars) {
    yield text.slice(from, from + partChars);
  }
}

/** The documents of a segment, from its first line; none where the name is not the digest of the content. */
function readKeys(files: Files, path: string): readonly string[] {
  try {
    const body = files.read(path);
    if (!path.endsWith(`${sha256Hex(body)}.jsonl`)) return [];
    const { documents } = JSON.parse(body.toString("utf8", 0, body.indexOf(0x0a))) as { documents: string[] };
    return documents;
  } catch (error) {
    if (isKeyframeError(error, "not-found")) return [];
    throw error;
  }
}

/** Names the version of a session that a checkpoint holds. */
export function documentKey(kind: "transcript" | "prompt" | "metadata", oids: readonly Oid[]): string {
  return `${kind}:${oids.length === 1 ? (oids[0] ?? "") : sha256Hex(oids.join(" "))}`;
}
