import { assignments } from "./assignments.ts";
import { createPlaceFinders } from "./commands.ts";
import type { Finder, Look, Span } from "./finder.ts";
import { createPrefixFinders } from "./prefix-finder.ts";
import { createKeyFinders, findKeyPieces } from "./private-keys.ts";
import type { PrefixRule } from "./rules.ts";
import { authorizations, urlPasswords, webTokens } from "./shaped-finders.ts";
import { hidingEscapes, unescapeJson } from "./unescape.ts";
import { createWordScan } from "./word-scan.ts";
import type { WordScan } from "./word-table.ts";

/** Secrets of a text: ranges of its bytes, which may overlap, in no order. Pure. */
export type SecretSearch = (bytes: Buffer) => Span[];

/** Every line is a record by itself, as in a transcript; or a secret may go over lines, as in a plain text. */
export interface SecretSearches {
  readonly inLines: SecretSearch;
  readonly inText: SecretSearch;
}

/**
 * One pass finds all words that stand before or in a secret, whatever their rules; the rules look closer there and
 * nowhere else.
 */
export function createSecretSearches(rules: readonly PrefixRule[]): SecretSearches {
  const common = [...createPrefixFinders(rules), webTokens, urlPasswords, authorizations, assignments];
  const createFinders = (options: Reach) => [
    ...common,
    ...createPlaceFinders(options),
    ...createKeyFinders(options),
  ];
  const forLines = createFinders({ acrossLines: false });
  const forText = createFinders({ acrossLines: true });
  const ofFinders = [...forLines, ...forText].flatMap((finder) => finder.words);
  const words = [...new Set([...hidingEscapes, ...ofFinders])];
  const scan = createWordScan(words);
  const create = (finders: readonly Finder[], reach: Reach) =>
    searchEscapesToo(createPlainSearch({ scan, words, finders, reach }));
  return {
    inLines: create(forLines, { acrossLines: false }),
    inText: create(forText, { acrossLines: true }),
  };
}

interface Reach {
  readonly acrossLines: boolean;
}

interface PlainResult {
  readonly found: Span[];
  /** Where characters are written as escapes, which can hide a secret. */
  readonly hidden: readonly number[];
}
type PlainSearch = (bytes: Buffer) => PlainResult;

interface SearchParts {
  readonly scan: WordScan;
  /** What the scan looks for; the escapes that hide characters first. */
  readonly words: readonly string[];
  readonly finders: readonly Finder[];
  readonly reach: Reach;
}

function createPlainSearch({ scan, words, finders, reach }: SearchParts): PlainSearch {
  const indexes = new Map<string, number[]>(words.map((word) => [word, []]));
  for (const [index, finder] of finders.entries()) {
    for (const word of finder.words) indexes.get(word)?.push(index);
  }
  const findersOf = words.map((word) => indexes.get(word) ?? []);
  return (bytes) => {
    const text = bytes.toString("latin1");
    const found: Span[] = [];
    const hidden: number[] = [];
    const looks: (Look | undefined)[] = [];
    scan(bytes, (word, start) => {
      if (word < hidingEscapes.length) hidden.push(start);
      for (const index of findersOf[word] ?? []) {
        looks[index] ??= finders[index]?.begin();
        looks[index]?.(text, start, found);
      }
    });
    findKeyPieces(text, reach, found);
    return { found, hidden };
  };
}

const newline = 0x0a;
const maxEscapeLevels = 4;

function searchEscapesToo(search: PlainSearch): SecretSearch {
  return (bytes) => {
    const { found, hidden } = search(bytes);
    let lineEnd = -1;
    for (const at of hidden) {
      if (at < lineEnd) continue;
      const lineStart = bytes.lastIndexOf(newline, at) + 1;
      const newlineAt = bytes.indexOf(newline, at);
      lineEnd = newlineAt === -1 ? bytes.length : newlineAt;
      addEscaped(bytes.subarray(lineStart, lineEnd), lineStart, search, found);
    }
    return found;
  };
}

/** Findings below JSON escapes: only lines that write letters of a key as escapes are decoded. */
function addEscaped(line: Buffer, lineStart: number, search: PlainSearch, found: Span[]): void {
  let { bytes, origins } = unescapeJson(line);
  for (let depth = 0; depth < maxEscapeLevels; depth += 1) {
    const inside = search(bytes);
    for (const { start, end, rule } of inside.found) {
      found.push({
        start: lineStart + (origins[start] ?? 0),
        end: lineStart + (origins[end] ?? line.length),
        rule,
      });
    }
    if (inside.hidden.length === 0) return;
    const deeper = unescapeJson(bytes);
    const outer = origins;
    bytes = deeper.bytes;
    origins = deeper.origins.map((at) => outer[at] ?? line.length);
  }
}
