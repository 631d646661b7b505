import type { Finder, Span } from "./finder.ts";
import { entropyBits } from "./values.ts";

/**
 * Private keys as tools show them: every line behind a number, an arrow, a file's name, a sign of a difference or a comment,
 * newlines escaped any number of times. Nothing beyond the line of a transcript is looked at, unless the text is a plain one.
 */
export function createKeyFinders({ acrossLines }: { readonly acrossLines: boolean }): Finder[] {
  const lineEnd = acrossLines ? undefined : "\n";
  return [
    { words: [beginning], begin: () => (text, at, found) => findKey(text, at, lineEnd, found) },
    { words: headWords, begin: () => findHead },
  ];
}

const beginning = "-----BEGIN ";

const lineBreak = /(?:\\+r)?\\+n|\r?\n/g;
const ending = /-----END (?:[A-Z0-9]{1,20} ){0,4}PRIVATE KEY(?: BLOCK)?-----/;
/** The largest keys in use have 13 KB, which what stands before each line can triple. */
const maxKeyLength = 48 * 1024;
/** What tools put around the piece of a key on one line. */
const maxDecoration = 200;

const beginLine = /-----BEGIN (?:[A-Z0-9]{1,20} ){0,4}PRIVATE KEY(?: BLOCK)?-----/y;

function findKey(text: string, at: number, lineEnd: string | undefined, found: Span[]): void {
  beginLine.lastIndex = at;
  if (!beginLine.test(text)) return;
  const from = beginLine.lastIndex;
  const stop = lineEnd === undefined ? -1 : text.indexOf(lineEnd, from);
  const body = text.slice(from, Math.min(stop === -1 ? text.length : stop, from + maxKeyLength));
  const length = keyLength(body);
  if (length > 20) found.push({ start: at, end: from + length, rule: "private-key" });
}

/** How far the key goes that begins before this text; 0 where only its name is talked about. */
function keyLength(body: string): number {
  const end = ending.exec(body);
  const inside = end === null ? body : body.slice(0, end.index);
  let length = 0;
  let material = 0;
  let at = 0;
  const breaks = new RegExp(lineBreak);
  for (let more = true; more; ) {
    const next = breaks.exec(inside);
    more = next !== null;
    const line = inside.slice(at, next?.index ?? inside.length);
    const held = materialIn(line);
    if (held === undefined) break;
    material += held;
    const last = /[A-Za-z0-9+/=]{16,}/.exec(line);
    if (held > 0)
      length = last === null ? at + line.length : at + last.index + lastRunEnd(line.slice(last.index));
    at = next === null ? inside.length : next.index + next[0].length;
  }
  if (material < 24) return 0;
  return end !== null && at >= inside.length ? end.index + end[0].length : length;
}

function lastRunEnd(line: string): number {
  return /^.*[A-Za-z0-9+/=]{16,}/s.exec(line)?.[0].length ?? line.length;
}

/** Characters of key material on a line; undefined for a line that no key has. */
function materialIn(line: string): number | undefined {
  const runs = line.match(/[A-Za-z0-9+/=]{16,}/g) ?? [];
  const held = runs.reduce((sum, run) => sum + run.length, 0);
  if (held > 0 && line.length - held <= Math.max(maxDecoration, held)) return held;
  // its headers, a blank line and the short last line
  return line.length <= maxDecoration &&
    /(?:Proc-Type|DEK-Info|Comment|Version|Subject):|^\W*[\w./-]{0,100}\W*$/.test(line)
    ? 0
    : undefined;
}

/** How the usual kinds of private key begin in base64: RSA, EC, Ed25519 and OpenSSH's own. */
const headWords = [
  "MII",
  "MHcCAQEEI",
  "MIGkAgEBBD",
  "MIGHAgEAMBMGByqGSM49",
  "MIG2AgEAMBAGByqGSM49",
  "MC4CAQAwBQYDK2Vw",
  "b3BlbnNzaC1rZXktdjE",
];
const head =
  /(?:MII[A-Za-z0-9+/]{2}(?:IBAAKC|AIBADANBgkqhkiG9w0B|QIBADANBgkqhkiG9w0B|gIBADANBgkqhkiG9w0B)|MHcCAQEEI|MIGkAgEBBD|MIGHAgEAMBMGByqGSM49|MIG2AgEAMBAGByqGSM49|MC4CAQAwBQYDK2Vw|b3BlbnNzaC1rZXktdjE)[A-Za-z0-9+/=]{16,}/y;

function findHead(text: string, at: number, found: Span[]): void {
  head.lastIndex = at;
  if (head.test(text)) found.push({ start: at, end: head.lastIndex, rule: "private-key" });
}

const base64 = new Uint8Array(256);
for (const char of "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
  base64[char.charCodeAt(0)] = 1;

const pieceLengths: ReadonlySet<number> = new Set([64, 70, 76]);
const minPieces = 3;

/** Lines of a key whose BEGIN is in another record: several of the same length in a row. */
export function findKeyPieces(
  text: string,
  { acrossLines }: { readonly acrossLines: boolean },
  found: Span[],
): void {
  let group: Run[] = [];
  for (const run of longRuns(text)) {
    const last = group.at(-1);
    const continues =
      last !== undefined &&
      last.end - last.start === run.end - run.start &&
      run.start - last.end <= maxDecoration &&
      (acrossLines || !text.slice(last.end, run.start).includes("\n"));
    if (!continues) {
      addPieces(text, group, found);
      group = [];
    }
    group.push(run);
  }
  addPieces(text, group, found);
}

interface Run {
  readonly start: number;
  readonly end: number;
}

function addPieces(text: string, group: readonly Run[], found: Span[]): void {
  const first = group[0];
  const last = group.at(-1);
  if (first === undefined || last === undefined || group.length < minPieces) return;
  const sample = text.slice(first.start, first.end);
  if (!/\d/.test(sample) || !/[a-z]/.test(sample) || !/[A-Z]/.test(sample) || entropyBits(sample) < 4.5)
    return;
  // certificates and public keys are written in the same way
  const before = text.slice(Math.max(0, first.start - 400), first.start);
  const begin = before.slice(before.lastIndexOf("\n") + 1).lastIndexOf("-----BEGIN ");
  if (begin !== -1 && !before.slice(before.lastIndexOf("\n") + 1 + begin).includes("PRIVATE")) return;
  found.push({ start: first.start, end: last.end, rule: "private-key" });
}

/** Runs of base64 of the lengths that lines of keys have; looks at a fraction of the characters. */
function* longRuns(text: string): Generator<Run> {
  const shortest = 64;
  for (let at = shortest - 1; at < text.length; at += shortest) {
    if (base64[text.charCodeAt(at)] !== 1) continue;
    let start = at;
    while (start > 0 && at - start < 128 && base64[text.charCodeAt(start - 1)] === 1) start -= 1;
    let end = at + 1;
    while (end < text.length && base64[text.charCodeAt(end)] === 1) end += 1;
    at = end;
    // the letter of an escaped newline, and the sign of a difference, are not part of the line
    if (text[start - 1] === "\\") start += 1;
    if (text[start] === "+" && !pieceLengths.has(end - start)) start += 1;
    if (pieceLengths.has(end - start)) yield { start, end };
  }
}
