import { describe, expect, test } from "vitest";
import {
  agentLineKey,
  humanKey,
  sessionKey,
  splitAgentLineKey,
  traceKey,
} from "../../../src/authorship/note/keys.ts";
import { normalisePath, ownersByPath } from "../../../src/authorship/note/log.ts";
import { encodeAuthorshipLog, parseAuthorshipLog } from "../../../src/authorship/note/log-codec.ts";
import { overriddenBeforeCommit, resolveOwner } from "../../../src/authorship/note/owners.ts";
import { createFakeRandom } from "../../../src/system/random.ts";

const claude = { agent_id: { tool: "claude", id: "7f3c2a10", model: "sonnet" }, human_author: "A <a@b>" };
const metadata = (fields: object) =>
  JSON.stringify({ schema_version: "authorship/3.0.0", prompts: {}, ...fields }, null, 2);
const sessions = { sessions: { s_1: claude, s_2: claude }, humans: { h_1: { author: "A <a@b>" } } };
const parse = (text: string | Buffer) => parseAuthorshipLog(Buffer.from(text as string));
const owners = (text: string, path: string) =>
  (ownersByPath(parse(text).log).get(normalisePath(path))?.runs ?? []).map(
    ({ first, last, key }) => `${first}-${last} ${key}`,
  );

describe("keys", () => {
  test("of sessions and humans are the digests that other tools compute", () => {
    expect(humanKey("Alice Smith <alice@example.com>")).toBe("h_31dce776f88375");
    expect(sessionKey({ tool: "claude", id: "7f3c2a10-5b1d-4c52-9d0e-0a6b1c2d3e4f" })).toBe(
      "s_8aad72e545eaba",
    );
    expect(sessionKey({ tool: "codex", id: "0198f2aa-77aa-7e31-8f7d-2b1c6f0e9a11" })).toBe(
      "s_702d9c0917e5c1",
    );
  });

  test("of a line join session and edit, and are split by prefix, not by length", () => {
    expect(traceKey(createFakeRandom(1))).toMatch(/^t_[0-9a-f]{14}$/);
    expect(splitAgentLineKey(agentLineKey("s_abc", "t_0123456789abcdef0"))).toEqual({
      session: "s_abc",
      trace: "t_0123456789abcdef0",
    });
    expect(splitAgentLineKey("s_abc")).toEqual({ session: "s_abc", trace: undefined });
    expect(splitAgentLineKey("866dabf162e96bcb")).toBeUndefined();
  });
});

describe("reading a note", () => {
  const cases: readonly [string, string, readonly string[]][] = [
    ["plain", "f\n  s_1::t_1 3-9,14\n  h_1 10-11\n", ["3-9 s_1::t_1", "10-11 h_1", "14-14 s_1::t_1"]],
    ["unsorted and overlapping ranges", "f\n  s_1::t_1 9,3-5,4-6,9\n", ["3-6 s_1::t_1", "9-9 s_1::t_1"]],
    [
      "two entries for a line: the last wins",
      "f\n  s_1::t_1 1-9\n  h_1 4-5\n",
      ["1-3 s_1::t_1", "4-5 h_1", "6-9 s_1::t_1"],
    ],
    ["one key in two entries", "f\n  s_1::t_1 1\n  h_1 5\n  s_1::t_1 2\n", ["1-2 s_1::t_1", "5-5 h_1"]],
    ["a file that comes twice", "f\n  s_1::t_1 1\ng\n  h_1 1\nf\n  h_1 2\n", ["1-1 s_1::t_1", "2-2 h_1"]],
    ["CRLF and trailing blanks", "f\r\n  s_1::t_1 1-2 \r\n\r\n", ["1-2 s_1::t_1"]],
    ["a session key without an edit", "f\n  s_1 1\n", ["1-1 s_1"]],
    [
      "keys that nothing explains",
      "f\n  ai_agent 1\n  s_9::t_1 2\n  h_9 3\n  s_1::t_1 4\n",
      ["4-4 s_1::t_1"],
    ],
    ["a last entry that nothing explains", "f\n  s_1::t_1 4\n  ai_agent 4\n", ["4-4 s_1::t_1"]],
    ["names of the prototype", "f\n  constructor 1\n  __proto__ 2\n  h_1 3\n", ["3-3 h_1"]],
    ["bad numbers beside good ones", "f\n  s_1::t_1 0,5-4,x,7-,9,-3,4294967296\n", ["9-9 s_1::t_1"]],
    [
      "the largest range",
      "f\n  s_1::t_1 1-4294967295\n  h_1 7\n",
      ["1-6 s_1::t_1", "7-7 h_1", "8-4294967295 s_1::t_1"],
    ],
  ];
  test.each(cases)("%s", (_name, head, expected) => {
    for (const divider of ["---\n", "---\r\n"]) {
      expect(owners(`${head}${divider}${metadata(sessions)}`, "f")).toEqual(expected);
    }
  });

  test("legacy prompt keys of 16 and 7 digits and free-form ones resolve through `prompts`", () => {
    const prompts = {
      "866dabf162e96bcb": claude,
      "866dabf": claude,
      "5b1d4c52-9d0e-4a6b-8c2d-3e4f5a6b7c8d": claude,
    };
    const keys = Object.keys(prompts);
    const text = `f\n${keys.map((key, index) => `  ${key} ${index * 2 + 1}\n`).join("")}---\n${metadata({ prompts })}`;
    expect(owners(text, "f")).toEqual(keys.map((key, index) => `${index * 2 + 1}-${index * 2 + 1} ${key}`));
    expect(resolveOwner(parse(text).log.metadata, "866dabf")).toMatchObject({
      kind: "agent",
      agent: { tool: "claude" },
    });
  });

  test("quoted and non-ASCII paths compare composed", () => {
    const text = `"docs/My Notes.md"\n  h_1 1\n"\n  h_1 2\nnai\u0308ve.txt\n  h_1 3\n日本.txt\n  h_1 4\n---\n${metadata(sessions)}`;
    expect(owners(text, "docs/My Notes.md")).toEqual(["1-1 h_1"]);
    expect(owners(text, '"')).toEqual(["2-2 h_1"]);
    expect(owners(text, "na\u00efve.txt")).toEqual(["3-3 h_1"]);
    expect(owners(text, "日本.txt")).toEqual(["4-4 h_1"]);
  });

  test("an empty note and one without attestations are fine", () => {
    expect(parse("")).toMatchObject({ problems: [], rewritable: true });
    expect(parse(`---\n${metadata({ git_ai_version: null })}\n`)).toMatchObject({
      log: { files: [], metadata: { git_ai_version: null } },
      problems: [],
      rewritable: true,
    });
  });

  test("what cannot be read is named by its line, and everything else is kept", () => {
    const { log, problems, rewritable } = parse(`  h_1 1\nf\n  h_1\n  h_1 2,zz\n---\n${metadata(sessions)}`);
    expect(problems.map(({ kind, line }) => `${kind} ${line}`)).toEqual([
      "entry-without-path 1",
      "bad-entry 3",
      "bad-range 4",
    ]);
    expect(log.files).toEqual([{ path: "f", entries: [{ key: "h_1", ranges: [{ first: 2, last: 2 }] }] }]);
    expect(rewritable).toBe(true);
  });

  test("a note that we would damage is not rewritable", () => {
    const nested = `${'{"a":'.repeat(5000)}1${"}".repeat(5000)}`;
    const kinds = [
      `f\n  h_1 1\n`,
      `f\n  h_1 1\n---\n{`,
      `f\n  h_1 1\n---\n[]`,
      `f\n  h_1 1\n---\n{"prompts":[]}`,
      `f\n  h_1 1\n---\n${nested}`,
      `f\n  h_1 1\n---\n{"schema_version":"authorship/4.0.0"}`,
      Buffer.concat([Buffer.from([0xff, 0x0a]), Buffer.from(`  h_1 1\n---\n{}`)]),
    ].map((text) => {
      const { problems, rewritable } = parse(text);
      return `${problems.map(({ kind }) => kind).join()} ${rewritable}`;
    });
    expect(kinds).toEqual([
      "no-divider false",
      "bad-metadata false",
      "bad-metadata false",
      "bad-metadata false",
      "bad-metadata false",
      "foreign-schema false",
      "not-utf8 false",
    ]);
  });

  test("the JSON form of the first versions gives its agents' lines, and nobody's for the rest", () => {
    const legacy = {
      schema_version: "authorship/0.0.1",
      files: {
        "src/a.ts": {
          file: "src/a.ts",
          authors: [
            { author: "claude", lines: [1, [4, 6]], agent_metadata: { tool: "claude", id: "x", model: "m" } },
            { author: "Bo Lee", lines: [2] },
          ],
        },
      },
    };
    const { log, problems, rewritable } = parse(JSON.stringify(legacy));
    expect(problems.map(({ kind }) => kind)).toEqual(["legacy-json"]);
    expect(rewritable).toBe(false);
    const runs = ownersByPath(log).get("src/a.ts")?.runs ?? [];
    expect(runs.map(({ first, last }) => [first, last])).toEqual([
      [1, 1],
      [4, 6],
    ]);
    expect(resolveOwner(log.metadata, runs[0]?.key ?? "")).toMatchObject({
      agent: { tool: "claude", id: "x", model: "m" },
    });
  });

  test("the counter of lines taken over is read in both spellings and in our own field", () => {
    const prompts = {
      "0123456789abcdef": { ...claude, overriden_lines: 2 },
      fedcba9: { ...claude, overridden_lines: 3 },
    };
    const log = parse(
      `---\n${metadata({ prompts, keyframe: { sessions: { s_1: { overridden_lines: 4 } } } })}`,
    ).log;
    expect(
      ["0123456789abcdef", "fedcba9", "s_1", "s_2"].map((key) => overriddenBeforeCommit(log.metadata, key)),
    ).toEqual([2, 3, 4, 0]);
  });
});

describe("writing a note", () => {
  test("sorts, joins, names each line once, drops what nothing explains and keeps unknown fields", () => {
    const text = [
      "z\n  s_2::t_1 5,1-4\n",
      "a b\n  h_1 2\n  s_1::t_1 1-3\n  h_1 2\n",
      "empty\n  nobody 1\n",
      `---\n${metadata({ ...sessions, logical_commit_id: { deep: [1] }, git_ai_version: null })}`,
    ].join("");
    expect(encodeAuthorshipLog(parse(text.replace("a b", '"a b"')).log)).toBe(
      `"a b"
  h_1 2
  s_1::t_1 1,3
z
  s_2::t_1 1-5
---
${JSON.stringify({ schema_version: "authorship/3.0.0", git_ai_version: null, prompts: {}, humans: sessions.humans, sessions: sessions.sessions, logical_commit_id: { deep: [1] } }, null, 2)}`,
    );
  });

  test("always has `prompts`, leaves empty maps out and ends without a newline", () => {
    const text = encodeAuthorshipLog({ files: [], metadata: { humans: {}, sessions: {} } });
    expect(text).toBe('---\n{\n  "schema_version": "authorship/3.0.0",\n  "prompts": {}\n}');
  });
});

test("a note of very many entries, one file again and again, is read in time", () => {
  const text = `${"f\n  s_1::t_1 1,3,5-9\n".repeat(150_000)}---\n${metadata(sessions)}`;
  expect(owners(text, "f")).toEqual(["1-1 s_1::t_1", "3-3 s_1::t_1", "5-9 s_1::t_1"]);
  const wide = `f\n  h_1 ${Array.from({ length: 200_000 }, (_, index) => 400_000 - 2 * index).join(",")}\n---\n${metadata(sessions)}`;
  expect(owners(wide, "f")).toHaveLength(200_000);
});
