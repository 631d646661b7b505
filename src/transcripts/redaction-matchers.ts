import type { PrefixRule } from "./redaction-rules.ts";

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
  const anyPrefix = entries.map(({ prefix }) => escapePattern(prefix)).join("|");
  const byHead = new Map<string, (typeof entries)[number][]>();
  for (const entry of entries) {
    const head = entry.prefix.slice(0, headLength);
    byHead.set(head, [...(byHead.get(head) ?? []), entry]);
  }
  return function* (text) {
    if (entries.length === 0) return;
    const pattern = new RegExp(anyPrefix, "g");
    // by entry, the last run that was too short: from inside of it only shorter ones begin
    const tooShort = new Map<object, { readonly from: number; readonly to: number }>();
    for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
      const start = match.index;
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
  };
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

/** A private key block on one line of JSON, its newlines escaped; without its end it runs to the end of the base64. */
export function matchPrivateKeys(text: string): Generator<Span> {
  return privateKeys(text, /(?:[A-Za-z0-9+/=,:. -]|\\+[nr])*/y);
}

/** The same in plain text of several lines. */
export function matchPrivateKeysAcrossLines(text: string): Generator<Span> {
  return privateKeys(text, /(?:[A-Za-z0-9+/=,:. \r\n-]|\\+[nr])*/y);
}

function* privateKeys(text: string, body: RegExp): Generator<Span> {
  const begin = /-----BEGIN (?:[A-Z0-9]{1,20} ){0,4}PRIVATE KEY(?: BLOCK)?-----/g;
  for (let match = begin.exec(text); match !== null; match = begin.exec(text)) {
    const bodyStart = match.index + match[0].length;
    body.lastIndex = bodyStart;
    const run = body.exec(text)?.[0] ?? "";
    const ending = /-----END (?:[A-Z0-9]{1,20} ){0,4}PRIVATE KEY(?: BLOCK)?-----/.exec(run);
    const end = bodyStart + (ending === null ? run.length : ending.index + ending[0].length);
    if (run.length > 20) yield { start: match.index, end, rule: "private-key" };
    begin.lastIndex = end;
  }
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

/**
 * `password = value` in the notations of source, JSON, YAML, shell and URLs, quotes escaped any number of times.
 * The name asks for a secret; the value must look like one, or code that only talks about tokens would be damaged.
 */
export function* matchAssignments(text: string): Generator<Span> {
  const pattern = new RegExp(assignment);
  for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
    const value = match[2] ?? "";
    const end = match.index + match[0].length;
    const plain = value.replace(/\\\//g, "/").replace(/[.,;:]+$/, "");
    const kept = value.length - value.replace(/[.,;:]+$/, "").length;
    if (namesSecret(text, match.index, match[1] ?? "") && isSecretValue(match[1] ?? "", plain)) {
      yield { start: end - value.length, end: end - kept, rule: "assignment" };
    }
    // the value may itself be the name of the next assignment
    pattern.lastIndex = end - value.length;
  }
}

// cases are spelt out: the engine searches for them much faster than it ignores case
const assignment =
  /([Pp]ass(?:w(?:or)?d|phrase)|PASS(?:W(?:OR)?D|PHRASE)|[Pp]wd|PWD|[Ss]ecret|SECRET|[Tt]oken|TOKEN|[Kk]ey|KEY|[Cc]redential|CREDENTIAL)[A-Za-z0-9_-]{0,24}(?:\\{0,7}["'`])?[ \t]{0,8}(?::=|=>|[:=])[ \t]{0,8}(?:\\{0,7}["'`])?((?:[A-Za-z0-9+=_.~!@#%^*:;,?$/-]|\\\/){8,400})/g;

/** A key of a cache or a map is no secret; one of an API is. */
function namesSecret(text: string, at: number, name: string): boolean {
  if (name.toLowerCase() !== "key") return true;
  return /(?:api|access|private|secret|encryption|signing|auth|client|account|service|master|licen[cs]e)[_-]?$/i.test(
    text.slice(Math.max(0, at - 12), at),
  );
}

function isSecretValue(name: string, value: string): boolean {
  if (isPlaceholder(value) || isKnownDigest(value)) return false;
  if (/^passw|^pwd|^passphrase/i.test(name)) {
    return (
      /\d/.test(value) && /[A-Za-z]/.test(value) && !/^[A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*)+$/.test(value)
    );
  }
  return looksRandom(value);
}

function looksRandom(value: string): boolean {
  if (value.length < 16 || isPlaceholder(value) || isKnownDigest(value)) return false;
  if (!/\d/.test(value) || !/[A-Za-z]/.test(value)) return false;
  // a path, a domain or a chain of members reads as words
  if (/^[A-Za-z_$][\w$-]*(?:[./][A-Za-z_$][\w$-]*)+$/.test(value)) return false;
  return entropyBits(value) >= (/^[0-9a-f]+$/i.test(value) ? 3 : 3.5);
}

/** What stands where a secret would: `${TOKEN}`, `process.env.TOKEN`, `your-key-here`, `xxxx`, `REDACTED`. */
function isPlaceholder(value: string): boolean {
  return (
    /^[$%<{[(*]|redacted|example|your[-_]?|placeholder|changeme|dummy|xxxx|\*\*\*|process\.env|os\.environ|getenv/i.test(
      value,
    ) || /^(.)\1*$/.test(value)
  );
}

/** Checksums that lock files and image references carry; damaging them helps nobody. */
function isKnownDigest(value: string): boolean {
  return /^(?:sha(?:1|224|256|384|512)[-:]|h1:|md5[-:]|blake[23][a-z]?[-:]|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$)/i.test(
    value,
  );
}

/** Shannon entropy per character. */
export function entropyBits(text: string): number {
  const counts = new Map<string, number>();
  for (const char of text) counts.set(char, (counts.get(char) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= (count / text.length) * Math.log2(count / text.length);
  return bits;
}
