// Covers src/agents/peers/**.
import { describe, expect, test } from "vitest";
import {
  giveEntireBack,
  isEntireEnabled,
  startsEntire,
  switchEntireOff,
} from "../../src/agents/peers/entire.ts";
import {
  doesGitAiRecord,
  excludeFromGitAi,
  includeInGitAi,
  nameableUrls,
  startsGitAi,
} from "../../src/agents/peers/git-ai.ts";
import { KeyframeError } from "../../src/base/errors.ts";

describe("what starts a peer", () => {
  test.each([
    ["a git hook", "#!/bin/sh\n# Entire CLI hooks\nentire hooks git post-commit 2>/dev/null || true\n", true],
    ["a git hook by absolute path", '"/opt/bin/entire" hooks git pre-push "$1"\n', true],
    ["settings", '{"command": "entire hooks claude-code stop"}', true],
    [
      "settings, wrapped",
      `{"command": "sh -c 'if ! command -v entire >/dev/null 2>&1; then exit 0; fi; exec entire hooks codex stop'"}`,
      true,
    ],
    ["a plugin", 'spawn("entire", ["hooks", "opencode", name])', true],
    ["another word", "the entire hooks directory\nlentire hooks git", true],
    ["another program", "mentire hooks git post-commit", false],
    ["our own", "keyframe hook git post-commit", false],
  ])("Entire: %s", (_, text, expected) => {
    expect(startsEntire(text)).toBe(expected);
  });

  test.each([
    ["settings", '{"command": "/home/a/.git-ai/bin/git-ai checkpoint claude --hook-input stdin"}', true],
    ["settings, quoted", String.raw`{"command": "\"/home/a b/git-ai\" checkpoint claude"}`, true],
    ["a plugin", 'spawn("git-ai", ["checkpoint", "opencode"])', true],
    ["another command of it", "git-ai blame a.txt", false],
    ["our own", "keyframe checkpoint agent-v1", false],
  ])("git-ai: %s", (_, text, expected) => {
    expect(startsGitAi(text)).toBe(expected);
  });
});

/** Settings as people and their tools have them. */
const texts = ["{}\n", '{"a":1}', '{\n  "log_level": "debug"\n}\n', '{\r\n\t"x": [1,   2]\r\n}\r\n'];

const withoutBlanks = (text: string) => text.replaceAll(/\s/g, "");

describe("Entire's settings", () => {
  test.each([
    [[undefined, undefined], true],
    [['{"enabled": true}', undefined], true],
    [['{"enabled": false}', undefined], false],
    [['{"enabled": false}', '{"enabled": true}'], true],
    [['{"enabled": true}', '{"enabled": false}'], false],
    [["{", '{"strategy": "manual-commit"}'], true],
  ])("%j: records %s", (settings, expected) => {
    expect(isEntireEnabled(settings)).toBe(expected);
  });

  test.each([...texts, '{"enabled": true, "x": 1}', '{"x":1,\n "enabled" :  true\n}'])(
    "%j: switched off, and given back without a trace but for its layout",
    (text) => {
      const off = switchEntireOff(text);
      expect(isEntireEnabled([off])).toBe(false);
      expect(switchEntireOff(off)).toBe(off);
      const back = giveEntireBack(off, text);
      expect(withoutBlanks(back)).toBe(withoutBlanks(text));
      // a text of several lines keeps every byte; one of a single line does where nobody else touched the file
      if (/\n./.test(text)) expect(back).toBe(text);
    },
  );

  test("what somebody else wrote since stays, and so does their word", () => {
    const off = switchEntireOff('{"enabled": true}');
    const edited = off.replace("{", '{"log_level": "debug", ');
    expect(giveEntireBack(edited, '{"enabled": true}')).toBe('{"log_level": "debug", "enabled": true}');
    expect(giveEntireBack('{"enabled": true}', "{}\n")).toBe('{"enabled": true}');
  });

  test.each(["{", "[]", "5"])("%j is refused", (text) => {
    expect(() => switchEntireOff(text)).toThrow(KeyframeError);
  });
});

describe("git-ai's settings", () => {
  const here = ["https://example.com/a.git", "git@example.com:a.git"];
  const there = ["https://example.com/b.git"];

  test.each([
    [undefined, true],
    ['{"exclude_repositories": ["https://example.com/a.git"]}', false],
    ['{"exclude_repositories": ["https://example.com/*"]}', false],
    ['{"exclude_repositories": ["https://example.com/aXgit"]}', true],
    ['{"allow_repositories": []}', true],
    ['{"allow_repositories": ["https://elsewhere.com/*"]}', false],
    ['{"allow_repositories": ["git@example.com:*"]}', true],
    ["{", true],
  ])("%j: records %s", (text, expected) => {
    expect(doesGitAiRecord(text, here)).toBe(expected);
  });

  test.each([
    ...texts,
    '{"exclude_repositories": []}',
    '{"exclude_repositories": ["x"], "quiet": true}',
    '{\n  "exclude_repositories": [\n    "x"\n  ]\n}\n',
  ])("%j: switched off for a repository, and given back without a trace but for its layout", (text) => {
    const off = excludeFromGitAi(text, here);
    expect(doesGitAiRecord(off, here)).toBe(false);
    expect(excludeFromGitAi(off, here)).toBe(off);
    const back = includeInGitAi(off, { urls: here, original: text });
    expect(withoutBlanks(back)).toBe(withoutBlanks(text));
  });

  test("two repositories are given back in either order", () => {
    const one = excludeFromGitAi("{}\n", here);
    const both = excludeFromGitAi(one, there);
    const second = includeInGitAi(both, { urls: here, original: "{}\n" });
    expect([doesGitAiRecord(second, here), doesGitAiRecord(second, there)]).toEqual([true, false]);
    const first = includeInGitAi(both, { urls: there, original: one });
    expect(JSON.parse(first)).toEqual(JSON.parse(one));
  });

  test("what the user excluded stays excluded", () => {
    const text = '{"exclude_repositories": ["git@example.com:a.git"]}';
    const off = excludeFromGitAi(text, here);
    const back = includeInGitAi(off, { urls: here, original: text });
    expect(withoutBlanks(back)).toBe(withoutBlanks(text));
  });

  test.each([
    ["{", "invalid-input"],
    ['{"exclude_repositories": "all"}', "refused"],
  ] as const)("%j is refused", (text, code) => {
    expect(() => excludeFromGitAi(text, here)).toThrow(expect.objectContaining({ code }));
  });

  test("URLs with secrets or signs of patterns are not named", () => {
    expect(
      nameableUrls([...here, "https://user:secret@example.com/a", "https://example.com/[a]", "../a b"]),
    ).toEqual(here);
  });
});
