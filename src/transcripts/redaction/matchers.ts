import type { PrefixRule } from "./rules.ts";
import { isPlaceholder, looksRandom } from "./values.ts";

/** Half-open range of characters of a text. */
export interface Span {
  readonly start: number;
  readonly end: number;
  readonly rule: string;
}

/** Finds secrets of one kind in a text; pure. */
export type Matcher = (text: string) => Generator<Span>;

/** All prefix rules in one pass, however many there are; none can keep another from finding what it finds alone. */
export function createPrefixMatcher(rules: readonly PrefixRule[]): Matcher {
  const entries = rules.flatMap((rule) =>
    rule.prefixes.map((prefix) => ({ prefix, rule, ...compileRun(rule) })),
  );
  const byHead = new Map<string, (typeof entries)[number][]>();
  for (const entry of entries) {
    const head = entry.prefix.slice(0, headLength);
    byHead.set(head, [...(byHead.get(head) ?? []), entry]);
  }
  const scans = planScans(rules);
  return function* (text) {
    for (const scan of scans) yield* scanWith(scan, text);
  };

  function* scanWith({ source, skipped }: PrefixScan, text: string): Generator<Span> {
    const pattern = new RegExp(source, "g");
    // by entry, the last run that was too short: from inside of it only shorter ones begin
    const tooShort = new Map<object, { readonly from: number; readonly to: number }>();
    for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
      const start = match.index + skipped;
      pattern.lastIndex = start + 1;
      const isWordStart = startsWord(text, start);
      for (const entry of byHead.get(text.slice(start, start + headLength)) ?? []) {
        const { prefix, rule, run, stretch } = entry;
        if (rule.inside !== true && !isWordStart) continue;
        if (!text.startsWith(prefix, start)) continue;
        const runStart = start + prefix.length;
        const known = stretch === undefined ? undefined : tooShort.get(entry);
        if (known !== undefined && runStart >= known.from && runStart <= known.to) continue;
        run.lastIndex = runStart;
        if (run.test(text)) {
          yield { start, end: run.lastIndex, rule: rule.name };
          pattern.lastIndex = Math.max(pattern.lastIndex, run.lastIndex);
        } else if (stretch !== undefined) {
          stretch.lastIndex = runStart;
          stretch.test(text);
          tooShort.set(entry, { from: runStart, to: stretch.lastIndex });
        }
      }
    }
  }
}

interface PrefixScan {
  readonly source: string;
  /** Characters that the pattern matches before the prefix. */
  readonly skipped: number;
}

/**
 * The engine finds the beginnings of words twice as fast as it tries every character, so what begins a word is looked for
 * in two passes, behind a border of words and behind the escape of a newline; the rest is few.
 */
function planScans(rules: readonly PrefixRule[]): PrefixScan[] {
  const sourceOf = (wanted: (prefix: string, rule: PrefixRule) => boolean) =>
    rules
      .flatMap((rule) => rule.prefixes.filter((prefix) => wanted(prefix, rule)))
      .sort()
      .map(escapePattern)
      .join("|");
  const isWord = (prefix: string, rule: PrefixRule) => rule.inside !== true && /^\w/.test(prefix);
  const words = sourceOf(isWord);
  const others = sourceOf((prefix, rule) => !isWord(prefix, rule));
  return [
    ...(words === "" ? [] : [{ source: `\\b(?:${words})`, skipped: 0 }]),
    ...(words === "" ? [] : [{ source: `\\\\[nrtbf](?:${words})`, skipped: 2 }]),
    ...(others === "" ? [] : [{ source: others, skipped: 0 }]),
  ];
}

/** Runs that need no more characters than this are looked at from each start anew. */
const maxShortRun = 100;

/** Every prefix has at least so many characters. */
const headLength = 2;

function compileRun({ characters, minLength, maxLength }: PrefixRule) {
  return {
    run: new RegExp(`[${characters}]{${minLength},${maxLength}}`, "y"),
    // measured only where looking at the same characters again from each start would add up
    stretch: minLength > maxShortRun ? new RegExp(`[${characters}]*`, "y") : undefined,
  };
}

function escapePattern(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/-]/g, "\\$&");
}

/** A key begins where a word begins; in JSON, the `n` of a `\n` before it is not part of the word. */
function startsWord(text: string, at: number): boolean {
  return !/[A-Za-z0-9_]/.test(text[at - 1] ?? "") || /\\[nrtbf]/.test(text.slice(at - 2, at));
}

/** Three base64url parts of a JSON web token. */
export function* matchWebTokens(text: string): Generator<Span> {
  const pattern = /eyJ[A-Za-z0-9_-]{10,2000}\.eyJ[A-Za-z0-9_-]{10,8000}\.[A-Za-z0-9_-]{10,2000}/g;
  for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
    yield { start: match.index, end: match.index + match[0].length, rule: "json-web-token" };
  }
}

/** The password of `scheme://user:password@host`. */
export function* matchUrlPasswords(text: string): Generator<Span> {
  const pattern = /:\/\/[^\s:/@"'\\<>]{0,100}:([^\s:/@"'\\<>]{3,200})@/g;
  for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
    const password = match[1] ?? "";
    if (isPlaceholder(password)) continue;
    const end = match.index + match[0].length - 1;
    yield { start: end - password.length, end, rule: "url-password" };
  }
}

/** The credentials of an HTTP `Authorization` header. */
export function* matchAuthorizations(text: string): Generator<Span> {
  const pattern = /(?:[Bb]earer|BEARER|[Bb]asic|[Tt]oken) {1,4}([A-Za-z0-9+/=._~-]{16,2000})/g;
  for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
    const credentials = (match[1] ?? "").replace(/\.+$/, "");
    if (!looksRandom(credentials)) continue;
    const start = match.index + match[0].length - (match[1] ?? "").length;
    yield { start, end: start + credentials.length, rule: "authorization" };
  }
}
