import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createRedactor } from "../../../src/transcripts/redaction/redaction.ts";
import { prefixRules } from "../../../src/transcripts/redaction/rules.ts";
import {
  maxUserRules,
  parseUserRule,
  parseUserRules,
} from "../../../src/transcripts/redaction/user-rules.ts";

const acme = { name: "acme-key", prefix: "acme_", characters: "a-z0-9", minLength: 8, maxLength: 20 };

describe("a user's redaction rule", () => {
  test("is data: a prefix and a run of characters", () => {
    const redactor = createRedactor([parseUserRule(acme)]);
    expect(redactor.redactText("use acme_1234abcd5678 now, not acme_short")).toBe(
      "use REDACTED now, not acme_short",
    );
    expect(redactor.counts.get("acme-key")).toBe(1);
    expect(redactor.fingerprint).not.toBe(createRedactor().fingerprint);
  });

  test("may be a fixed text, stand inside a word, and hold any letters", () => {
    const fixed = { name: "customer", prefix: "Müller & Söhne", minLength: 0, maxLength: 0 };
    const inside = { name: "host", prefix: ".corp.example", minLength: 0, maxLength: 0, inside: true };
    const redactor = createRedactor(parseUserRules([fixed, inside]));
    expect(redactor.redactText("for Müller & Söhne at db.corp.example.")).toBe("for REDACTED at dbREDACTED.");
    const line = Buffer.from(`${JSON.stringify({ text: "for Müller & Söhne" })}\n`);
    expect(JSON.parse(redactor.redactLines(line).toString())).toEqual({ text: "for REDACTED" });
  });

  test.each([
    ["no object", null],
    ["a prefix that fits everywhere", { name: "x", prefix: "a" }],
    ["a prefix that ends a JSON string", { name: "x", prefix: 'ab"' }],
    ["an expression", { name: "x", prefix: "acme_", characters: "(a+)+" }],
    ["an expression as a member of its own", { ...acme, pattern: "(a+)+$" }],
    ["a class that is turned round", { name: "x", prefix: "acme_", characters: "^a" }],
    ["a class that ends early", { name: "x", prefix: "acme_", characters: "a]+(a*" }],
    ["a range out of order", { name: "x", prefix: "acme_", characters: "z-a" }],
    ["a misspelt limit", { name: "x", prefix: "acme_", minlength: 3 }],
    ["lengths out of order", { name: "x", prefix: "acme_", minLength: 30, maxLength: 10 }],
    ["a length without limit", { name: "x", prefix: "acme_", maxLength: 1e9 }],
    ["a name that is none", { name: "X y", prefix: "acme_" }],
  ])("is refused where it is %s", (_, rule) => {
    expect(() => parseUserRule(rule)).toThrow(/not a redaction rule/);
  });

  test("is one of a limited number", () => {
    expect(parseUserRules(Array.from({ length: maxUserRules }, () => acme))).toHaveLength(maxUserRules);
    expect(() => parseUserRules(Array.from({ length: maxUserRules + 1 }, () => acme))).toThrow(/at most/);
    expect(() => parseUserRules({ 0: acme })).toThrow(/a list/);
  });

  test("never keeps a built-in rule from its findings", () => {
    const hostile = prefixRules.flatMap(({ prefixes: [prefix = ""] }) => [
      { name: "same", prefix: prefix.slice(0, 32), minLength: 1000, maxLength: 1000 },
    ]);
    const longer = { name: "longer", prefix: "ghp_0123", minLength: 1000, maxLength: 1000 };
    const redactor = createRedactor(parseUserRules([...hostile, longer].slice(0, maxUserRules)));
    const key = "0123456789abcdefghijABCDEFGHIJ";
    expect(redactor.redactText(`ghp_${key}`)).toBe("REDACTED");
    fc.assert(
      fc.property(
        fc.array(fc.record({ prefix: fc.stringMatching(/^[a-z_]{2,6}$/), minLength: fc.nat(40) }), {
          maxLength: 8,
        }),
        fc.stringMatching(/^[a-z_ =]{0,30}$/),
        (rules, around) => {
          const all = rules.map((rule, index) => ({ name: `r-${index}`, maxLength: 60, ...rule }));
          const text = `${around} npm_${key}abcdef ${around}`;
          expect(createRedactor(parseUserRules(all)).redactText(text)).not.toContain(key);
        },
      ),
    );
  });

  test("looks at each character a bounded number of times, whatever the text", () => {
    const runs = parseUserRules(
      Array.from({ length: maxUserRules }, (_, index) => ({
        name: `r-${index}`,
        prefix: "a".repeat(2 + (index % 31)),
        characters: "a-",
        minLength: 1000,
        maxLength: 1000,
        inside: true,
      })),
    );
    const redactor = createRedactor(runs);
    const stretches = `${"a".repeat(999)}b`.repeat(100);
    expect(redactor.redactText(stretches)).toBe(stretches);
    expect(redactor.redactText("a".repeat(100_000))).toMatch(/^REDACTEDa{0,1100}$/);
  });
});
