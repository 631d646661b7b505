import { spawnSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  agentHookCommand,
  isHookCommand,
  parseHookCommand,
} from "../../src/agents/settings/agent-program.ts";
import {
  addClaudeHooks,
  claudeHookCommands,
  claudeHookEvents,
  hasClaudeHooks,
  removeClaudeHooks,
} from "../../src/agents/settings/claude-settings.ts";
import { jsonValue, parseJsonText } from "../../src/agents/settings/json-text.ts";

const here = { kind: "installed", node: "/usr/bin/node", entry: "/opt/it's here/dist/keyframe.cjs" } as const;
const onPath = { kind: "on-path" } as const;
const read = (text: string) => jsonValue(parseJsonText(text)) as { hooks?: Record<string, unknown[]> };

describe("adding hooks to Claude's settings", () => {
  test("to none makes a file that holds them and nothing else", () => {
    const text = addClaudeHooks(undefined, here);
    expect(Object.keys(JSON.parse(text).hooks)).toEqual(claudeHookEvents);
    expect(text.endsWith("}\n")).toBe(true);
    expect(claudeHookCommands(text)).toEqual([agentHookCommand(here, "claude")]);
    expect(removeClaudeHooks(text)).toBe("{}\n");
  });

  test("keeps comments, layout, unknown fields and other people's hooks", () => {
    const text = `// mine
{
\t"model": "x", // the good one
\t"hooks": {
\t\t"Stop": [{ "hooks": [{ "type": "command", "command": "say done" }] }], /* loud */
\t\t"Unknown": [1,2]
\t},
\t"list": [1,   2],
}
`;
    const added = addClaudeHooks(text, here);
    for (const kept of [
      '\t"model": "x", // the good one\n',
      '"Stop": [{ "hooks": [{ "type": "command", "command": "say done" }] }',
      "/* loud */",
      '"Unknown": [1,2]',
      '\t"list": [1,   2],\n}\n',
    ]) {
      expect(added).toContain(kept);
    }
    expect(read(added).hooks?.["Stop"]).toHaveLength(2);
    expect(read(removeClaudeHooks(added))).toEqual(read(text));
  });

  test("replaces those of another installation, each once", () => {
    const old = addClaudeHooks(addClaudeHooks(undefined, here), onPath);
    expect(claudeHookCommands(old)).toEqual([agentHookCommand(onPath, "claude")]);
    expect(addClaudeHooks(old, here)).toBe(addClaudeHooks(undefined, here));
  });

  test("takes ours out of a group that somebody added to, and leaves theirs", () => {
    const group = { hooks: [{ command: agentHookCommand(onPath, "claude") }, { command: "theirs" }] };
    const text = JSON.stringify({ hooks: { Stop: [group], Old: [{ hooks: [group.hooks[0]] }] } });
    expect(read(removeClaudeHooks(text))).toEqual({ hooks: { Stop: [{ hooks: [{ command: "theirs" }] }] } });
    expect(read(addClaudeHooks(text, here)).hooks?.["Stop"]).toHaveLength(2);
  });

  test.each([
    ["damaged JSON", '{\n  "a": 1,\n  "b" 2\n}', "line 3, column 7"],
    ["two values", "{} {}", "line 1, column 4"],
    ["a list", "[]", "not a JSON object"],
    ["hooks that are a list", '{"hooks":[]}', '"hooks"'],
    ["an event that is a text", '{"hooks":{"Stop":"x"}}', '"hooks.Stop"'],
    ["endless nesting", "[".repeat(1000), "deeply"],
  ])("to %s is refused and says where", (_, text, where) => {
    expect(() => addClaudeHooks(text, here)).toThrow(where);
  });
});

/** A settings file as people write them: any layout, comments and trailing commas here and there. */
const settings = fc
  .record({
    value: fc.dictionary(
      fc.constantFrom("model", "permissions", "env", "x y"),
      fc.jsonValue({ maxDepth: 2 }),
    ),
    hooks: fc.option(
      fc.dictionary(
        fc.constantFrom("Stop", "PreToolUse", "Other"),
        fc.array(
          fc.record({
            matcher: fc.string(),
            hooks: fc.array(fc.record({ command: fc.constantFrom("a", "b") }), { minLength: 1 }),
          }),
          { minLength: 1 },
        ),
        { minKeys: 1 },
      ),
      { nil: undefined },
    ),
    indent: fc.constantFrom("", " ", "  ", "\t", "    "),
    newline: fc.constantFrom("\n", "\r\n"),
    comment: fc.constantFrom("", " // c", " /* c, } */"),
    trailing: fc.boolean(),
  })
  .map(({ value, hooks, indent, newline, comment, trailing }) => {
    const whole = hooks === undefined ? value : { ...value, hooks };
    let text = JSON.stringify(whole, null, indent);
    if (indent !== "") {
      // strings hold no line breaks, so that each line end is one of the layout
      if (trailing) text = text.replace(/([^[{,\n])\n(\s*[\]}])/g, "$1,\n$2");
      text = text.replaceAll("\n", `${comment}${newline}`);
    }
    return { whole: JSON.parse(JSON.stringify(whole)) as unknown, text };
  });

describe("any settings", () => {
  test("read as their value, and keep it through adding and removing", () => {
    fc.assert(
      fc.property(settings, ({ whole, text }) => {
        expect(jsonValue(parseJsonText(text))).toEqual(whole);
        expect(hasClaudeHooks(text)).toBe(false);
        const added = addClaudeHooks(text, here);
        expect(addClaudeHooks(added, here)).toBe(added);
        expect(claudeHookCommands(added)).toEqual([agentHookCommand(here, "claude")]);
        expect(jsonValue(parseJsonText(removeClaudeHooks(added)))).toEqual(whole);
      }),
      { numRuns: 100 },
    );
  });

  test("that are arbitrary text are edited or refused with one of our errors", () => {
    const pieces = fc.array(
      fc.constantFrom("{", "}", "[", "]", '"a"', ":", ",", "1", "//", "\n", "/*", "*/", '"'),
    );
    fc.assert(
      fc.property(pieces, (parts) => {
        try {
          addClaudeHooks(parts.join(""), here);
        } catch (error) {
          expect(error).toMatchObject({ name: "KeyframeError" });
        }
      }),
    );
  });
});

describe("the hook command", () => {
  test("is known again, whatever the paths", () => {
    const path = fc.string({ minLength: 1 }).map((text) => `/${text.replaceAll("\0", "")}/keyframe.cjs`);
    fc.assert(
      fc.property(path, path, (node, entry) => {
        const program = { kind: "installed", node, entry } as const;
        const command = agentHookCommand(program, "claude");
        expect(isHookCommand(command, "claude")).toBe(true);
        expect(parseHookCommand(command, "claude")).toEqual(program);
      }),
    );
    expect(parseHookCommand(agentHookCommand(onPath, "claude"), "claude")).toEqual(onPath);
  });

  test("is silent and ends with 0 where Keyframe is gone, broken or not installed", () => {
    const gone = { kind: "installed", node: process.execPath, entry: "/gone/keyframe.cjs" } as const;
    const noNode = { ...gone, node: "/gone/node" };
    for (const program of [gone, noNode, onPath]) {
      const result = spawnSync("/bin/sh", ["-c", agentHookCommand(program, "claude")], {
        env: { PATH: "/gone" },
      });
      expect([result.status, result.stdout.toString(), result.stderr.toString()]).toEqual([0, "", ""]);
    }
  });

  test("is not confused with other commands", () => {
    for (const command of [
      "keyframe status",
      "notkeyframe hook claude",
      "keyframe hook claudette",
      "hook claude",
    ]) {
      expect([command, isHookCommand(command, "claude")]).toEqual([command, false]);
    }
  });
});
