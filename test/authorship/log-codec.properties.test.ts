import fc from "fast-check";
import { expect, test } from "vitest";
import { type AuthorshipLog, ownersByPath } from "../../src/authorship/note/log.ts";
import {
  encodeAuthorshipLog,
  isWritablePath,
  parseAuthorshipLog,
} from "../../src/authorship/note/log-codec.ts";
import { mergeAuthorshipLogs } from "../../src/authorship/note/log-merge.ts";
import { resolveOwner } from "../../src/authorship/note/owners.ts";
import {
  clipRuns,
  keyAtLine,
  type OwnerRun,
  overlayRuns,
  runsOfClaims,
} from "../../src/authorship/rules/owner-runs.ts";

const keys = ["s_1::t_1", "s_1::t_2", "s_2::t_3", "h_1", "0123456789abcdef", "unexplained"];
const agent = { agent_id: { tool: "claude", id: "x", model: "m" } };
const explained = {
  schema_version: "authorship/3.0.0",
  prompts: { "0123456789abcdef": agent },
  humans: { h_1: { author: "A <a@b>" } },
  sessions: { s_1: agent, s_2: agent },
};
const range = fc
  .tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 0, max: 12 }))
  .map(([first, more]) => ({ first, last: first + more }));
const claim = fc.tuple(range, fc.constantFrom(...keys)).map(([lines, key]) => ({ ...lines, key }));
const path = fc.oneof(
  fc.constantFrom(
    "f",
    "---",
    '"',
    '""',
    '"q"',
    "  indented",
    "trailing ",
    "a\tb",
    "\ufeffbom",
    "é",
    "e\u0301",
    "a\r",
  ),
  fc.string({ unit: "grapheme", minLength: 1 }).filter(isWritablePath),
);
const entry = fc.record({
  key: fc.constantFrom(...keys),
  ranges: fc.array(range, { minLength: 1, maxLength: 4 }),
});
const log: fc.Arbitrary<AuthorshipLog> = fc.record({
  files: fc.array(fc.record({ path, entries: fc.array(entry, { maxLength: 5 }) }), { maxLength: 4 }),
  metadata: fc
    .dictionary(
      fc.string().filter((name) => !(name in explained)),
      fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<never>,
    )
    .map((unknown) => ({ ...unknown, ...explained })),
});

/** What a log says, line by line: the slow and obvious way. */
function meaning({ files }: AuthorshipLog): string[] {
  const lines = new Map<string, string>();
  for (const file of files) {
    for (const { key, ranges } of file.entries) {
      if (key === "unexplained") continue;
      for (const { first, last } of ranges) {
        for (let line = first; line <= last; line += 1) {
          lines.set(`${file.path.normalize("NFC")}\0${line}`, key);
        }
      }
    }
  }
  return [...lines].map((pair) => pair.join(" ")).sort();
}

const byLine = (runs: readonly OwnerRun[]) => Array.from({ length: 60 }, (_, line) => keyAtLine(runs, line));

test("decoding what was encoded gives the same lines, the same JSON, and the same text again", () => {
  fc.assert(
    fc.property(log, (value) => {
      const text = encodeAuthorshipLog(value);
      const parsed = parseAuthorshipLog(Buffer.from(text));
      expect(parsed.problems).toEqual([]);
      expect(meaning(parsed.log)).toEqual(meaning(value));
      expect(parsed.log.metadata).toEqual(JSON.parse(JSON.stringify(value.metadata)));
      expect(encodeAuthorshipLog(parsed.log)).toBe(text);
    }),
  );
});

test("no bytes make the reader throw, and what it read can be written", () => {
  const piece = fc.constantFrom(
    "f\n",
    "  h_1 1-2\n",
    "  s_1::t_1 3,",
    "---\n",
    "{",
    '"prompts":',
    "{}",
    "}",
    "\r",
    "\0",
    "9-1\n",
  );
  const anyBytes = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc.array(piece, { maxLength: 12 }).map((pieces) => Buffer.from(pieces.join(""))),
  );
  fc.assert(
    fc.property(anyBytes, (bytes) => {
      const { log: read } = parseAuthorshipLog(bytes);
      expect(encodeAuthorshipLog(read)).toContain("---\n{");
    }),
    { numRuns: 500 },
  );
});

test("runs say of each line what the last claim on it said", () => {
  fc.assert(
    fc.property(fc.array(claim, { maxLength: 12 }), (claims) => {
      const runs = runsOfClaims(claims);
      const expected = Array.from(
        { length: 60 },
        (_, line) => claims.findLast(({ first, last }) => first <= line && line <= last)?.key,
      );
      expect(byLine(runs)).toEqual(expected);
      runs.forEach((run, index) => {
        const next = runs[index + 1];
        expect(next === undefined || run.last < next.first - (run.key === next.key ? 1 : 0)).toBe(true);
      });
    }),
    { numRuns: 500 },
  );
});

test("clipping keeps exactly the lines inside the ranges", () => {
  fc.assert(
    fc.property(fc.array(claim, { maxLength: 8 }), fc.array(range, { maxLength: 5 }), (claims, ranges) => {
      const runs = runsOfClaims(claims);
      const inside = runsOfClaims(ranges.map((lines) => ({ ...lines, key: "in" })));
      const expected = byLine(runs).map((key, line) =>
        keyAtLine(inside, line) === undefined ? undefined : key,
      );
      expect(byLine(clipRuns(runs, inside))).toEqual(expected);
    }),
  );
});

test("merging keeps the claims of others where we have none, and merging again changes nothing", () => {
  fc.assert(
    fc.property(log, log, (existing, ours) => {
      const merged = mergeAuthorshipLogs(existing, ours);
      // a line that was settled as a known human's is never overwritten
      const isHuman = (key: string | undefined) =>
        key !== undefined && resolveOwner(existing.metadata, key)?.kind === "human";
      const expected = new Map<string, (string | undefined)[]>();
      for (const [key, { runs }] of ownersByPath(existing)) expected.set(key, byLine(runs));
      for (const [key, { runs }] of ownersByPath(ours)) {
        const below = expected.get(key) ?? [];
        expected.set(
          key,
          byLine(runs).map((owner, line) => (isHuman(below[line]) ? below[line] : (owner ?? below[line]))),
        );
      }
      for (const [key, owners] of expected) {
        expect(byLine(ownersByPath(merged).get(key)?.runs ?? [])).toEqual(owners);
      }
      expect(encodeAuthorshipLog(mergeAuthorshipLogs(merged, ours))).toBe(encodeAuthorshipLog(merged));
    }),
  );
});

test("merging keeps unknown fields and other tools' records, and adds ours", () => {
  const existing = {
    files: [],
    metadata: {
      odd: { kept: 1 },
      git_ai_version: "1.6",
      sessions: { s_1: { ...agent, custom_attributes: { team: "a" } } },
    },
  };
  const ours = {
    files: [],
    metadata: { sessions: { s_1: { ...agent, human_author: "A <a@b>" }, s_2: agent }, keyframe: { a: 1 } },
  };
  expect(mergeAuthorshipLogs(existing, ours).metadata).toEqual({
    odd: { kept: 1 },
    git_ai_version: "1.6",
    sessions: { s_1: { ...agent, custom_attributes: { team: "a" }, human_author: "A <a@b>" }, s_2: agent },
    keyframe: { a: 1 },
  });
});

test("overlaying nothing, or over nothing, is the other side", () => {
  const runs = [{ first: 1, last: 2, key: "a" }];
  expect(overlayRuns([], runs)).toEqual(runs);
  expect(overlayRuns(runs, [])).toEqual(runs);
});
