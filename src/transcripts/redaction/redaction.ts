import { asBuffer } from "../../base/bytes.ts";
import { sha256Hex } from "../../base/digest.ts";
import { readLinesAsync } from "../../base/text/lines.ts";
import { maxTranscriptLineBytes } from "../limits.ts";
import type { Span } from "./finder.ts";
import { type PrefixRule, prefixRules } from "./rules.ts";
import { createSecretSearches, type SecretSearch } from "./search-secrets.ts";

/**
 * Takes secrets out of what is about to be stored. Every line is redacted by itself and the result depends on nothing
 * else: redacting a transcript's new tail gives the bytes that redacting the whole would. A line without a finding
 * keeps its bytes. A failure throws: what could not be redacted must not be stored.
 */
export interface Redactor {
  /** Whole lines, JSON or not; the last may lack its newline. Returns the same buffer where nothing was found. */
  redactLines(block: Buffer): Buffer;
  /** One text of several lines (a prompt, a path, a branch name): a secret may span its lines. */
  redactText(text: string): string;
  /** How often each rule has replaced something since the redactor was made. */
  readonly counts: ReadonlyMap<string, number>;
  /** Changes when the same line could be redacted differently. */
  readonly fingerprint: string;
}

export const redactedMark = "REDACTED";
const rulesVersion = 3;

export function createRedactor(userRules: readonly PrefixRule[] = []): Redactor {
  const rules = [...prefixRules, ...userRules];
  const searches = createSecretSearches(rules);
  const counts = new Map<string, number>();

  function redact(bytes: Buffer, search: SecretSearch): Buffer {
    const spans = mergeSpans(search(bytes));
    if (spans.length === 0) return bytes;
    for (const span of spans) counts.set(span.rule, (counts.get(span.rule) ?? 0) + 1);
    return replaceSpans(bytes, spans);
  }

  return {
    redactLines: (block) => redact(block, searches.inLines),
    redactText(text) {
      return redact(Buffer.from(text), searches.inText).toString("utf8");
    },
    counts,
    fingerprint: sha256Hex(JSON.stringify([rulesVersion, rules])).slice(0, 16),
  };
}

/**
 * Redacts a transcript as it streams. A line over the limit is replaced by a line that says so: it was not looked at,
 * so it is not stored.
 */
export async function* redactStream(
  redactor: Redactor,
  content: AsyncIterable<Uint8Array>,
  maxLineBytes = maxTranscriptLineBytes,
): AsyncGenerator<Buffer> {
  let held: Buffer[] = [];
  let heldBytes = 0;
  for await (const line of readLinesAsync(content, maxLineBytes)) {
    const bytes = "oversized" in line ? omittedLine(line.sizeBytes) : asBuffer(line.bytes);
    held.push(Buffer.from(bytes));
    if (line.terminated) held.push(newline);
    heldBytes += bytes.length + 1;
    if (heldBytes < blockBytes) continue;
    yield redactor.redactLines(Buffer.concat(held));
    held = [];
    heldBytes = 0;
  }
  if (held.length > 0) yield redactor.redactLines(Buffer.concat(held));
}

const blockBytes = 1024 * 1024;
const newline = Buffer.from("\n");

function omittedLine(sizeBytes: number): Buffer {
  return Buffer.from(
    JSON.stringify({ type: "keyframe-omitted", reason: "line too long", size_bytes: sizeBytes }),
  );
}

/** Where spans overlap or touch they become one. */
function mergeSpans(spans: Span[]): Span[] {
  const merged: Span[] = [];
  for (const span of spans.sort((a, b) => a.start - b.start || b.end - a.end)) {
    const last = merged.at(-1);
    if (last !== undefined && span.start <= last.end) {
      merged[merged.length - 1] = { ...last, end: Math.max(last.end, span.end) };
    } else merged.push(span);
  }
  return merged;
}

function replaceSpans(bytes: Buffer, spans: readonly Span[]): Buffer {
  const pieces: Buffer[] = [];
  let from = 0;
  for (const { start, end } of spans) {
    pieces.push(bytes.subarray(from, start), mark);
    from = end;
  }
  pieces.push(bytes.subarray(from));
  return Buffer.concat(pieces);
}

const mark = Buffer.from(redactedMark);
