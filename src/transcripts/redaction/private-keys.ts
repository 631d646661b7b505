import type { Span } from "./matchers.ts";
import { entropyBits } from "./values.ts";

/**
 * Private keys as tools show them: every line behind a number, an arrow, a file's name, a sign of a difference or a comment,
 * newlines escaped any number of times; and pieces of one whose first line stands elsewhere. Nothing beyond the line of a
 * transcript is looked at.
 */
export function matchPrivateKeys(text: string): Generator<Span> {
  return privateKeys(text, "\n");
}

/** The same in plain text of several lines. */
export function matchPrivateKeysAcrossLines(text: string): Generator<Span> {
  return privateKeys(text, undefined);
}

const lineBreak = /(?:\\+r)?\\+n|\r?\n/g;
const ending = /-----END (?:[A-Z0-9]{1,20} ){0,4}PRIVATE KEY(?: BLOCK)?-----/;
/** The largest keys in use have 13 KB, which what stands before each line can triple. */
const maxKeyLength = 48 * 1024;
/** What tools put around the piece of a key on one line. */
const maxDecoration = 200;

function* privateKeys(text: string, lineEnd: string | undefined): Generator<Span> {
  const begin = /-----BEGIN (?:[A-Z0-9]{1,20} ){0,4}PRIVATE KEY(?: BLOCK)?-----/g;
  for (let match = begin.exec(text); match !== null; match = begin.exec(text)) {
    const from = match.index + match[0].length;
    const stop = lineEnd === undefined ? -1 : text.indexOf(lineEnd, from);
    const body = text.slice(from, Math.min(stop === -1 ? text.length : stop, from + maxKeyLength));
    const length = keyLength(body);
    if (length > 20) yield { start: match.index, end: from + length, rule: "private-key" };
    begin.lastIndex = from + length;
  }
  yield* keyPieces(text, lineEnd);
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
const heads =
  /(?:MII[A-Za-z0-9+/]{2}(?:IBAAKC|AIBADANBgkqhkiG9w0B|QIBADANBgkqhkiG9w0B|gIBADANBgkqhkiG9w0B)|MHcCAQEEI|MIGkAgEBBD|MIGHAgEAMBMGByqGSM49|MIG2AgEAMBAGByqGSM49|MC4CAQAwBQYDK2Vw|b3BlbnNzaC1rZXktdjE)[A-Za-z0-9+/=]{16,}/g;

const base64 = new Uint8Array(256);
for (const char of "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
  base64[char.charCodeAt(0)] = 1;

const pieceLengths: ReadonlySet<number> = new Set([64, 70, 76]);
const minPieces = 3;

/** Lines of a key whose BEGIN is in another record: by how they begin, or by several of the same length in a row. */
function* keyPieces(text: string, lineEnd: string | undefined): Generator<Span> {
  const search = new RegExp(heads);
  for (let match = search.exec(text); match !== null; match = search.exec(text))
    yield { start: match.index, end: match.index + match[0].length, rule: "private-key" };
  let group: Run[] = [];
  for (const run of longRuns(text)) {
    const last = group.at(-1);
    const continues =
      last !== undefined &&
      last.end - last.start === run.end - run.start &&
      run.start - last.end <= maxDecoration &&
      !(lineEnd !== undefined && text.slice(last.end, run.start).includes(lineEnd));
    if (!continues) {
      yield* spanOf(text, group);
      group = [];
    }
    group.push(run);
  }
  yield* spanOf(text, group);
}

interface Run {
  readonly start: number;
  readonly end: number;
}

function* spanOf(text: string, group: readonly Run[]): Generator<Span> {
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
  yield { start: first.start, end: last.end, rule: "private-key" };
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
