import { asBuffer } from "../../base/bytes.ts";
import { sha256Hex } from "../../base/digest.ts";
import { readLinesAsync } from "../../base/text/lines.ts";
import { maxTranscriptLineBytes } from "../limits.ts";
import { matchAssignments } from "./assignments.ts";
import { matchPlacedSecrets, matchPlacedSecretsAcrossLines } from "./commands.ts";
import {
  createPrefixMatcher,
  type Matcher,
  matchAuthorizations,
  matchUrlPasswords,
  matchWebTokens,
  type Span,
} from "./matchers.ts";
import { matchPrivateKeys, matchPrivateKeysAcrossLines } from "./private-keys.ts";
import { type PrefixRule, prefixRules } from "./rules.ts";
import { hiddenCharacter, unescapeJson } from "./unescape.ts";

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
const rulesVersion = 2;
const maxEscapeLevels = 4;

export function createRedactor(userRules: readonly PrefixRule[] = []): Redactor {
  const rules = [...prefixRules, ...userRules];
  const matchers: readonly Matcher[] = [
    createPrefixMatcher(rules),
    matchWebTokens,
    matchUrlPasswords,
    matchAuthorizations,
    matchAssignments,
  ];
  const forLines = [...matchers, matchPlacedSecrets, matchPrivateKeys];
  const forText = [...matchers, matchPlacedSecretsAcrossLines, matchPrivateKeysAcrossLines];
  const counts = new Map<string, number>();

  /** The text is one character a byte (latin1), so that spans are byte ranges and odd bytes survive. */
  function redact(text: string, using: readonly Matcher[]): string {
    const spans = [...plainSpans(text, using), ...escapedSpans(text, using)];
    if (spans.length === 0) return text;
    const merged = mergeSpans(spans);
    for (const span of merged) counts.set(span.rule, (counts.get(span.rule) ?? 0) + 1);
    return replaceSpans(text, merged);
  }

  return {
    redactLines(block) {
      const text = block.toString("latin1");
      const redacted = redact(text, forLines);
      return redacted === text ? block : Buffer.from(redacted, "latin1");
    },
    redactText(text) {
      return Buffer.from(redact(Buffer.from(text).toString("latin1"), forText), "latin1").toString("utf8");
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

function plainSpans(text: string, matchers: readonly Matcher[]): Span[] {
  return matchers.flatMap((match) => [...match(text)]);
}

/** Findings below JSON escapes: only lines that write letters of a key as escapes are decoded. */
function escapedSpans(text: string, matchers: readonly Matcher[]): Span[] {
  const found: Span[] = [];
  const hidden = new RegExp(hiddenCharacter, "g");
  for (let hit = hidden.exec(text); hit !== null; hit = hidden.exec(text)) {
    const lineStart = text.lastIndexOf("\n", hit.index) + 1;
    const newlineAt = text.indexOf("\n", hit.index);
    const lineEnd = newlineAt === -1 ? text.length : newlineAt;
    for (const { start, end, rule } of decodedSpans(text.slice(lineStart, lineEnd), matchers)) {
      found.push({ start: start + lineStart, end: end + lineStart, rule });
    }
    hidden.lastIndex = lineEnd;
  }
  return found;
}

function decodedSpans(line: string, matchers: readonly Matcher[]): Span[] {
  const found: Span[] = [];
  let level = unescapeJson(line);
  for (let depth = 0; depth < maxEscapeLevels; depth += 1) {
    for (const { start, end, rule } of plainSpans(level.text, matchers)) {
      found.push({ start: level.origins[start] ?? 0, end: level.origins[end] ?? line.length, rule });
    }
    if (!hiddenCharacter.test(level.text)) break;
    const deeper = unescapeJson(level.text);
    level = { text: deeper.text, origins: deeper.origins.map((at) => level.origins[at] ?? line.length) };
  }
  return found;
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

function replaceSpans(text: string, spans: readonly Span[]): string {
  const pieces: string[] = [];
  let from = 0;
  for (const { start, end } of spans) {
    pieces.push(text.slice(from, start), redactedMark);
    from = end;
  }
  pieces.push(text.slice(from));
  return pieces.join("");
}
