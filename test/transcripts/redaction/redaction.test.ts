// Covers src/transcripts/redaction/**.
import { lintSource } from "@secretlint/core";
import { creator as recommended } from "@secretlint/secretlint-rule-preset-recommend";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createRedactor, redactStream } from "../../../src/transcripts/redaction/redaction.ts";
import { prefixRules } from "../../../src/transcripts/redaction/rules.ts";

// put together here, so that no scanner takes this file for a leak
const letters = "aB3dE5gH7jK9mN1pQ3sT5vW7xZ2cD4fG6hJ8kL0nP2rS4tV6wY8bC1dF3gH5jK7mN9qR2sU4vX6zA8";
const run = (length: number) => letters.repeat(4).slice(0, length);
const fakes = {
  aws: `AKIA${"Q3EGRT5UJHZL7WVX"}`,
  anthropic: `sk-${"ant-api03-"}${run(34)}`,
  github: `ghp${"_"}${run(36)}`,
  slack: `xoxb${"-"}123456789012-1234567890123-${run(24)}`,
  npm: `npm${"_"}${run(36)}`,
  jwt: `eyJhbGciOiJIUzI1NiJ9.${"eyJzdWIiOiIxMjM0NTY3ODkwIn0"}.${run(43)}`,
};
const pem = [
  "-----BEGIN RSA " + "PRIVATE KEY-----",
  run(64),
  run(64),
  "-----END RSA " + "PRIVATE KEY-----",
].join("\n");

const lines = (text: string) => createRedactor().redactLines(Buffer.from(text)).toString();

describe("redaction", () => {
  test.each([
    [`key=${fakes.aws}`, "key=REDACTED"],
    [`${fakes.aws} ${fakes.aws}`, "REDACTED REDACTED"],
    [`my key is ${fakes.anthropic} ok`, "my key is REDACTED ok"],
    [`token ${fakes.github}.`, "token REDACTED."],
    [`{"a":"${fakes.slack}"}`, '{"a":"REDACTED"}'],
    [`//registry.npmjs.org/:_authToken=${fakes.npm}`, "//registry.npmjs.org/:_authToken=REDACTED"],
    [`Cookie: s=${fakes.jwt}; x`, "Cookie: s=REDACTED; x"],
    [`postgres://app:${run(14)}@db:5432/x`, "postgres://app:REDACTED@db:5432/x"],
    [`Authorization: Bearer ${run(40)}`, "Authorization: Bearer REDACTED"],
    [`client_secret: "${run(32)}"`, 'client_secret: "REDACTED"'],
    [`{"x":"DB_PASSWORD=hunter2hunter2\\nnext"}`, '{"x":"DB_PASSWORD=REDACTED\\nnext"}'],
    [`{"x":"export API_KEY=\\"${run(32)}\\""}`, '{"x":"export API_KEY=\\"REDACTED\\""}'],
    [`keystorePassword="${run(12)}"`, 'keystorePassword="REDACTED"'],
    [`bypass_token: "${run(32)}"`, 'bypass_token: "REDACTED"'],
    [`secret: "${"NMXx5DJ6U4nMKNNuLHcv+tm5atr0"}${"pik9vxXXXbWE"}"`, 'secret: "REDACTED"'],
    [`--secret=${"KMvebUE/agtGafdwpwBgiUSMIrGP"}${"bvmzefgbDAYn"}`, "--secret=REDACTED"],
    [`PGPASSWORD: ${"kEyf@!OXJeAh0"}`, "PGPASSWORD: REDACTED"],
    [`{"access_key_id":"${fakes.aws}"}`, '{"access_key_id":"REDACTED"}'],
    [`{"${fakes.github}":1}`, '{"REDACTED":1}'],
    [`{"x":"line one\\n${fakes.github}\\n"}`, '{"x":"line one\\nREDACTED\\n"}'],
  ])("finds what is planted in %#", (text, expected) => {
    expect(lines(text)).toBe(expected);
  });

  // where the name only begins like one that asks for a secret; entropy per character: 16 different ones have 4 bits, hexadecimal digits never more than 4
  test.each([
    ["16 characters, all different", `secretName: "${"a1b2c3d4"}${"e5f6g7h8"}"`, true],
    ["16 characters, some twice, 3.5 bits", `secretName: "${"x1y2z3w4"}${"x1y2u5v6"}"`, true],
    ["16 characters, few different, 3 bits", `secretName: "${"x1y2z3w4"}${"x1y2z3w4"}"`, false],
    ["hexadecimal, 3 bits", `apiKeyName=${"01234abc"}${"01234abc"}`, true],
    ["hexadecimal, 2 bits", `apiKeyName=${"0a1b0a1b"}${"0a1b0a1b"}`, false],
    ["a word and a number", "api_key=development-key-1", false],
    ["15 characters", `secretName: "${"a1b2c3d4"}${"e5f6g7h"}"`, false],
  ])("a value counts as a secret from a certain randomness on: %s", (_, text, isSecret) => {
    expect(lines(text).includes("REDACTED")).toBe(isSecret);
  });

  test.each([
    ["API_KEY=ab12cd", true],
    ["API_KEY=ab12c", false],
    ["DB_PASSWORD=ab1x", true],
    ["DB_PASSWORD=ab1", false],
    ['my_password: "ab!2cd"', true],
    ['my_password: "ab!2c"', false],
  ])("the shortest value that a name makes a secret: %s", (text, isSecret) => {
    expect(lines(text).includes("REDACTED")).toBe(isSecret);
  });

  test("sees through JSON escapes, on any level", () => {
    const escaped = Array.from(fakes.github)
      .map((char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`)
      .join("");
    expect(lines(`{"x":"${escaped}"}`)).toBe('{"x":"REDACTED"}');
    const nested = JSON.stringify({ outer: `{"x":"${escaped}"}` });
    expect(lines(nested)).toBe(JSON.stringify({ outer: '{"x":"REDACTED"}' }));
    const slashes = `{"u":"https:\\/\\/app:${run(14)}@host\\/"}`;
    expect(lines(slashes)).toBe('{"u":"https:\\/\\/app:REDACTED@host\\/"}');
  });

  test("takes a private key out of one line of JSON and out of plain text", () => {
    expect(lines(JSON.stringify({ key: pem, after: 1 }))).toBe('{"key":"REDACTED","after":1}');
    expect(lines(JSON.stringify({ text: JSON.stringify({ key: pem }) }))).toBe(
      '{"text":"{\\"key\\":\\"REDACTED\\"}"}',
    );
    expect(createRedactor().redactText(`here:\n${pem}\nthanks`)).toBe("here:\nREDACTED\nthanks");
    expect(lines(JSON.stringify({ key: pem.slice(0, 120) }))).toBe('{"key":"REDACTED"}');
  });

  test.each([
    `"integrity": "sha512-${run(80)}=="`,
    `github.com/some/token v1.2.3 h1:${run(43)}=`,
    `resolved "https://registry.yarnpkg.com/js-tokens/-/js-tokens-4.0.0.tgz#19203fb59991df98e3a287050d4647cdeaf32499"`,
    `{"session_id":"${run(32)}","requestId":"req_${run(22)}"}`,
    `commit 8470f7e25c1ce236c7af1213c577eb155aa1f3f0`,
    `{"signature":"${run(200)}","input_tokens":1234567890123456}`,
    "const token = await getSecretTokenFromVaultProvider();",
    "password: process.env.DB_PASSWORD_2",
    `API_KEY=$\{SECRET_FROM_ENV_1234}`,
    '{"token": "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"}',
    'secret: "your-secret-key-goes-here-123"',
    "cacheKey: node-modules-linux-x64-4f9d8a7b6c5e",
    "tokenizer.decode(tokens[17].type) => undefined1234567",
    "session_token_id: 123e4567-e89b-12d3-a456-426614174000",
    "the passphrase=is-a-word-only-thing",
    "postgres://user:password@localhost:5432/app",
    '"pass": "使用されています"',
    "this.baseTokens=null,this.baseTokenPos=1};",
    "progressToken: ProgressTokenSchema$1",
    '{ "X-Access-Token": config.envdAccessToken }',
  ])("leaves %s as it is", (text) => {
    const block = Buffer.from(text);
    expect(createRedactor().redactLines(block)).toBe(block);
  });

  test("is local to a line: a block gives what its lines give, and odd bytes survive", () => {
    const line = fc.oneof(
      fc.constantFrom(...Object.values(fakes), JSON.stringify({ key: pem }), "plain", `a="${fakes.jwt}`),
      fc.string({ maxLength: 60 }).map((text) => text.replaceAll("\n", " ")),
      fc
        .uint8Array({ maxLength: 30 })
        .map((bytes) => Buffer.from(bytes.filter((byte) => byte !== 10)).toString("latin1")),
    );
    fc.assert(
      fc.property(fc.array(line, { maxLength: 12 }), (parts) => {
        const redactor = createRedactor();
        const one = (text: string) => redactor.redactLines(Buffer.from(text, "latin1")).toString("latin1");
        expect(one(parts.join("\n"))).toBe(parts.map(one).join("\n"));
      }),
    );
  });

  test("keeps JSON valid whatever secret stands in whatever string", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...Object.values(fakes), pem, `password="${run(20)}"`),
        fc.string(),
        fc.string(),
        fc.integer({ min: 0, max: 3 }),
        (secret, before, after, depth) => {
          let text = JSON.stringify({ v: `${before} ${secret} ${after}` });
          for (let level = 0; level < depth; level += 1) text = JSON.stringify({ v: text });
          const redacted = lines(text);
          expect(() => JSON.parse(redacted)).not.toThrow();
        },
      ),
    );
  });

  test("redacting the new tail gives what redacting the whole gives", async () => {
    const all = Array.from({ length: 60 }, (_, index) =>
      JSON.stringify({ index, text: Object.values(fakes)[index % 6] }),
    );
    const text = `${all.join("\n")}\n`;
    const whole = lines(text);
    for (const at of [0, 1, 30, 59]) {
      const head = `${all.slice(0, at).join("\n")}${at > 0 ? "\n" : ""}`;
      expect(lines(head) + lines(text.slice(head.length))).toBe(whole);
    }
    const streamed: Buffer[] = [];
    const source = (async function* () {
      for (let at = 0; at < text.length; at += 37) yield Buffer.from(text.slice(at, at + 37));
    })();
    for await (const piece of redactStream(createRedactor(), source)) streamed.push(piece);
    expect(Buffer.concat(streamed).toString()).toBe(whole);
    expect(whole).not.toContain(run(12));
  });

  test("a line that is too long to look at is not stored", async () => {
    const source = (async function* () {
      yield Buffer.from(`first\n${fakes.aws}${"x".repeat(100)}\nlast`);
    })();
    const out: Buffer[] = [];
    for await (const piece of redactStream(createRedactor(), source, 50)) out.push(piece);
    expect(Buffer.concat(out).toString().split("\n")).toEqual([
      "first",
      '{"type":"keyframe-omitted","reason":"line too long","size_bytes":120}',
      "last",
    ]);
  });

  test("hostile text ends: long runs that almost match", () => {
    const nasty = [
      "password".repeat(4000),
      "a".repeat(50_000),
      "://".repeat(20_000),
      "\\".repeat(40_000),
      `${"key".repeat(9000)}=`,
      "-----BEGIN ".repeat(4000),
      "eyJ".repeat(20_000),
      "\\u0041".repeat(5000),
    ];
    for (const text of nasty) expect(lines(text).length).toBeGreaterThan(0);
  });

  test("every rule finds a key of its own form", () => {
    for (const rule of prefixRules) {
      const from = new RegExp(`[${rule.characters}]`, "g");
      const body = `${letters}${letters.toLowerCase()}`.match(from)?.join("").repeat(20) ?? "";
      const key = `${rule.prefixes[0]}${body.slice(0, rule.minLength)}`;
      const text = rule.inside ? `1${key}` : `"${key}"`;
      expect(createRedactor().redactText(text), rule.name).toBe(rule.inside ? "1REDACTED" : '"REDACTED"');
    }
  });

  test("a known secret scanner finds nothing in what is left", async () => {
    const text = JSON.stringify({
      all: Object.values(fakes).join(" "),
      pem,
      url: `https://u:${run(16)}@example.org`,
    });
    const scan = async (content: string) => {
      const config = {
        rules: [{ id: "@secretlint/secretlint-rule-preset-recommend", rule: recommended, options: {} }],
      };
      const source = { filePath: "t.txt", content, ext: ".txt", contentType: "text" as const };
      return (await lintSource({ source, options: { config } })).messages.map(({ ruleId }) => ruleId);
    };
    expect((await scan(text)).length).toBeGreaterThanOrEqual(3);
    expect(await scan(lines(text))).toEqual([]);
  });
});
