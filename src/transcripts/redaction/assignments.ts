import type { Span } from "./matchers.ts";
import { isNamedSecret, type NamedValue } from "./values.ts";

/**
 * `password = value` in the notations of source, JSON, YAML, shell, URLs and command lines, quotes escaped any number of
 * times. The name asks for a secret; whether the value is one depends on the notation (redaction-values.ts).
 */
export function* matchAssignments(text: string): Generator<Span> {
  const pattern = new RegExp(nameAndSeparator);
  for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
    const [whole, word = "", suffix = "", quote = "", separator = ""] = match;
    const kind = kindOf(text, match.index, word, suffix);
    if (kind === undefined) continue;
    const at = match.index + whole.length;
    const found = readValue(text, at);
    if (found === undefined) continue;
    if (word === "PASS" && separator !== "=" && !found.isQuoted && !/[_-]/.test(text[match.index - 1] ?? ""))
      continue; // a test's result
    const style = styleOf(text, match.index, { word, suffix, quote, separator, isQuoted: found.isQuoted });
    if (style === undefined) continue;
    const value = found.value.replace(/\\\//g, "/");
    const qualified = !/^(?:[_-]?(?:key|value|prod|dev|test|live|staging|\d{1,3}))?$/i.test(suffix);
    if (isNamedSecret({ kind, qualified, value, style, next: found.next })) {
      yield { start: found.start, end: found.end, rule: "assignment" };
      pattern.lastIndex = found.end;
    }
  }
}

// cases are spelt out: the engine searches for them much faster than it ignores case
const nameAndSeparator =
  /([Pp]ass(?:w(?:or)?d|phrase)?|PASS(?:W(?:OR)?D|PHRASE)?|[Pp]wd|PWD|[Ss]ecret|SECRET|[Tt]oken|TOKEN|[Kk]ey|KEY|[Cc]redential|CREDENTIAL)([A-Za-z0-9_-]{0,24}(?: Access Key| Key| key)?)(\\{0,7}["'`])?(?: ?\[[^\]\n]{0,40}\])?([ \t]{0,8}(?::=|=>|[:=])[ \t]{0,8}|[ ]{1,2}(?=\S))/g;

/** What the name asks for; undefined for names that only sound like it. A key of a cache or a map is no secret. */
function kindOf(text: string, at: number, word: string, suffix: string): NamedValue["kind"] | undefined {
  const lower = word.toLowerCase();
  if (lower === "pass") {
    if (suffix !== "" && !/^\d{1,2}$/.test(suffix)) return undefined;
    const before = text[at - 1] ?? "";
    const begins =
      word === "Pass"
        ? !/[A-Z]/.test(before)
        : !/[A-Za-z]/.test(before) || /\\[nrt]$/.test(text.slice(at - 2, at));
    return begins ? "password" : undefined;
  }
  if (lower.startsWith("pass") || lower === "pwd") return "password";
  if (lower === "token") return "token";
  if (lower !== "key") return "secret";
  return keyOwner.test(text.slice(Math.max(0, at - 12), at)) ? "secret" : undefined;
}

const keyOwner =
  /(?:api|access|private|secret|encryption|signing|auth|client|account|service|master|shared|licen[cs]e)[ _-]?$/i;

interface Notation {
  readonly word: string;
  readonly suffix: string;
  /** Quote behind the name. */
  readonly quote: string;
  readonly separator: string;
  readonly isQuoted: boolean;
}

/** Undefined where a name stands before a space and is no flag: a sentence. */
function styleOf(text: string, at: number, notation: Notation): NamedValue["style"] | undefined {
  const { word, suffix, quote, separator, isQuoted } = notation;
  if (!/[:=]/.test(separator)) return quote === "" && isFlag(text, at) ? "flag" : undefined;
  if (isQuoted) return "quoted";
  if (separator !== "=") return "loose";
  const isCapital = word === word.toUpperCase() && !/[a-z]/.test(suffix);
  return isCapital ? "variable" : "tight";
}

/** The name is the end of `--some-name`. */
function isFlag(text: string, at: number): boolean {
  return /(?:^|[\s"'`n])--?[A-Za-z0-9_-]{0,36}$/.test(text.slice(Math.max(0, at - 40), at));
}

interface FoundValue {
  readonly start: number;
  readonly end: number;
  readonly value: string;
  readonly isQuoted: boolean;
  readonly next: string;
}

const opening = /\\{0,7}["'`]/y;
const bare = /(?![,;:&|<>()[\]{}])(?:[A-Za-z0-9+=_.~!@#%^*:;,?$/|<>{}[\]()-]|\\\/){4,400}/y;
const literal = /(?:[^\s"'`\\]|\\\/){4,400}/y;

function readValue(text: string, at: number): FoundValue | undefined {
  opening.lastIndex = at;
  const quote = opening.exec(text)?.[0];
  const start = at + (quote?.length ?? 0);
  const run = quote === undefined ? bare : literal;
  run.lastIndex = start;
  const raw = run.exec(text)?.[0];
  if (raw === undefined) return undefined;
  const end = start + raw.length;
  // a literal with spaces in it is a label, unless what stands before them is a secret by itself
  if (quote !== undefined && text.startsWith(quote, end))
    return { start, end, value: raw, isQuoted: true, next: "" };
  const value = quote === undefined ? endOfBare(raw) : raw;
  const after = text[start + value.length] ?? "";
  const isLineEnd = after === "\n" || after === "\r" || /^\\+[nr]/.test(text.slice(end, end + 4));
  return { start, end: start + value.length, value, isQuoted: false, next: isLineEnd ? "" : after };
}

/** Without what ends a sentence, an argument or an item of a query. */
function endOfBare(raw: string): string {
  const stop = /[&|<>()[\]{}]|;(?=.)|,(?=[A-Za-z_]+[=:])/.exec(raw.slice(1));
  const value = stop === null ? raw : raw.slice(0, stop.index + 1);
  return value.replace(/[.,;:?]+$/, "");
}
