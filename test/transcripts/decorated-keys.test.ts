import { createHash, generateKeyPairSync } from "node:crypto";
import { describe, expect, test } from "vitest";
import { createRedactor } from "../../src/transcripts/redaction/redaction.ts";

const make = {
  "RSA, PKCS#8": () =>
    generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ type: "pkcs8", format: "pem" }),
  "RSA, PKCS#1": () =>
    generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ type: "pkcs1", format: "pem" }),
  EC: () =>
    generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ type: "sec1", format: "pem" }),
  Ed25519: () => generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" }),
};
const keys = Object.entries(make).map(([kind, generate]): [string, string[]] => [
  kind,
  String(generate()).trim().split("\n"),
]);

const numbered = (write: (line: string, number: number) => string) => (lines: readonly string[]) =>
  lines.map((line, index) => write(line, index + 1)).join("\n");

/** How tools show a file: every way decorates each line. */
const decorations: Readonly<Record<string, (lines: readonly string[]) => string>> = {
  plain: (lines) => lines.join("\n"),
  "with carriage returns": (lines) => lines.join("\r\n"),
  "with numbers and arrows": numbered((line, number) => `${String(number).padStart(6)}→${line}`),
  "cat -n": numbered((line, number) => `${String(number).padStart(6)}\t${line}`),
  "grep -n": numbered((line, number) => `${number}:${line}`),
  "grep -rn": numbered((line, number) => `some/where/id_rsa.pem:${number}:${line}`),
  "grep -C": numbered((line, number) => `some/where/id_rsa.pem-${number}-${line}`),
  "added in a diff": numbered((line) => `+${line}`),
  "removed in a diff": numbered((line) => `-${line}`),
  "unchanged in a diff": numbered((line) => ` ${line}`),
  blame: numbered((line, number) => `a1b2c3d4 (Ann Example 2026-01-02 03:04:05 +0000 ${number}) ${line}`),
  quoted: numbered((line) => `> ${line}`),
  "a comment": numbered((line) => ` * ${line}`),
  "a box": numbered((line) => `│ ${line} │`),
  indented: numbered((line) => `        ${line}`),
  "strings of source": numbered((line) => `    "${line}\\n" +`),
  "a list of strings": (lines) => JSON.stringify(lines),
  "an environment variable": (lines) => `KEY="${lines.join("\\n")}"`,
  "on one line": (lines) => lines.join(" "),
};

const record = (content: string) =>
  JSON.stringify({ type: "user", message: { content: [{ type: "tool_result", content }] } });
const redact = (line: string) => createRedactor().redactLines(Buffer.from(line)).toString();
/** Lines of the key of which a half can still be read. */
const readable = (lines: readonly string[], text: string) =>
  lines
    .slice(1, -1)
    .filter(
      (line) => line.length > 40 && (text.includes(line.slice(0, 32)) || text.includes(line.slice(-32))),
    );

describe.each(keys)("a private key (%s)", (_kind, lines) => {
  test.each(Object.entries(decorations))("%s", (_name, decorate) => {
    const text = `before\n${decorate(lines)}\nafter`;
    for (const line of [record(text), JSON.stringify({ inner: record(text) })]) {
      const redacted = redact(line);
      expect(readable(lines, redacted)).toEqual([]);
      expect(() => JSON.parse(redacted)).not.toThrow();
      expect(redacted).toContain("before");
      expect(redacted).toContain("after");
    }
    expect(readable(lines, createRedactor().redactText(text))).toEqual([]);
  });
});

test("pieces of a key in records of their own", () => {
  const [, lines = []] = keys[0] ?? [];
  const size = 6;
  for (let at = 0; at < lines.length; at += size) {
    const piece = lines.slice(at, at + size);
    if (piece.filter((line) => line.length === 64).length < 3) continue;
    expect(readable(["", ...piece, ""], redact(record(piece.join("\n"))))).toEqual([]);
  }
});

test("certificates, public keys and talk about keys stay as they are", () => {
  const body = Array.from({ length: 12 }, (_, index) =>
    createHash("sha384").update(String(index)).digest("base64"),
  );
  for (const name of ["CERTIFICATE", "PUBLIC KEY"]) {
    const text = record(`-----BEGIN ${name}-----\n${body.join("\n")}\n-----END ${name}-----`);
    expect(redact(text)).toBe(text);
  }
  const talk = record(
    'look for "-----BEGIN PRIVATE KEY-----" and then read on until the end, which is marked as well',
  );
  expect(redact(talk)).toBe(talk);
});
