import type { Finder, Look, Span } from "./finder.ts";
import { isNamedSecret, type NamedValue } from "./values.ts";

/**
 * `password = value` in the notations of source, JSON, YAML, shell, URLs and command lines, quotes escaped any number of
 * times. The name asks for a secret; whether the value is one depends on the notation (values.ts).
 */
export const assignments: Finder = {
  words: ["pass", "pwd", "secret", "token", "key", "credential"].flatMap((word) => [
    word,
    `${word.slice(0, 1).toUpperCase()}${word.slice(1)}`,
    word.toUpperCase(),
  ]),
  begin: beginAssignments,
};

function beginAssignments(): Look {
  // a name is one, however many of the words it holds
  let lookedAtTo = 0;
  return (text, at, found) => {
    if (at < lookedAtTo || isOtherKey(text, at)) return;
    nameAndSeparator.lastIndex = at;
    const match = nameAndSeparator.exec(text);
    if (match === null) return;
    const [whole, word = "", suffix = "", quote = "", separator = ""] = match;
    const kind = kindOf(text, at, word, suffix);
    if (kind === undefined) return;
    lookedAtTo = at + whole.length;
    const isAssigned = /[:=]/.test(separator);
    if (!isAssigned && (quote !== "" || !isFlag(text, at))) return; // a sentence
    const secret = findSecret(text, { at, word, suffix, separator, isAssigned, kind, valueAt: lookedAtTo });
    if (secret === undefined) return;
    found.push(secret);
    lookedAtTo = secret.end;
  };
}

// cases are spelt out: the engine searches for them much faster than it ignores case
const nameAndSeparator =
  /([Pp]ass(?:w(?:or)?d|phrase)?|PASS(?:W(?:OR)?D|PHRASE)?|[Pp]wd|PWD|[Ss]ecret|SECRET|[Tt]oken|TOKEN|[Kk]ey|KEY|[Cc]redential|CREDENTIAL)([A-Za-z0-9_-]{0,24}(?: Access Key| Key| key)?)(\\{0,7}["'`])?(?: ?\[[^\]\n]{0,40}\])?([ \t]{0,8}(?::=|=>|[:=])[ \t]{0,8}|[ ]{1,2}(?=\S))/y;

interface Name {
  readonly at: number;
  /** The word in it that asks for a secret, and what follows that word. */
  readonly word: string;
  readonly suffix: string;
  readonly separator: string;
  /** False where a flag stands before its value. */
  readonly isAssigned: boolean;
  readonly kind: NamedValue["kind"];
  readonly valueAt: number;
}

function findSecret(text: string, name: Name): Span | undefined {
  const { at, word, suffix, separator, kind } = name;
  const found = readValue(text, name.valueAt);
  if (found === undefined) return undefined;
  if (word === "PASS" && separator !== "=" && !found.isQuoted && !/[_-]/.test(text[at - 1] ?? ""))
    return undefined; // a test's result
  const style = styleOf(name, found.isQuoted);
  const value = found.value.replace(/\\\//g, "/");
  const qualified = !/^(?:[_-]?(?:key|value|prod|dev|test|live|staging|\d{1,3}))?$/i.test(suffix);
  if (!isNamedSecret({ kind, qualified, value, style, next: found.next })) return undefined;
  return { start: found.start, end: found.end, rule: "assignment" };
}

/** Most keys are of maps and caches: what stands before the word says so at its last letter. */
function isOtherKey(text: string, at: number): boolean {
  const first = text[at];
  return (first === "k" || first === "K") && !ownerEnds.has(text[at - 1] ?? "");
}

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

/** The last letters of those, and what may stand behind them. */
const ownerEnds: ReadonlySet<string> = new Set(" _-isetnghrdISETNGHRD");

function styleOf({ word, suffix, separator, isAssigned }: Name, isQuoted: boolean): NamedValue["style"] {
  if (!isAssigned) return "flag";
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
  const next = text[start + value.length] ?? "";
  return { start, end: start + value.length, value, isQuoted: false, next };
}

/** Without what ends a sentence, an argument or an item of a query. */
function endOfBare(raw: string): string {
  const stop = /[&|<>()[\]{}]|;(?=.)|,(?=[A-Za-z_.]+[=:])/.exec(raw.slice(1));
  const value = stop === null ? raw : raw.slice(0, stop.index + 1);
  return value.replace(/[.,;:?]+$/, "");
}
