// Covers src/cli/agents/**, src/cli/version/**.
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { connectableAgents } from "../../src/agents/connectable-agents.ts";
import { agentConnections } from "../../src/agents/settings/connections.ts";
import { createTestRepository, type TestRepository } from "../support/test-repository.ts";

let repository: TestRepository;
let home: string;

beforeEach(() => {
  repository = createTestRepository();
  home = repository.env["HOME"] ?? "";
  repository.write("a.txt", "a\n");
  repository.commit("first");
});
afterEach(() => repository.remove());

const all = connectableAgents.join(",");

/** Every file below a directory, with its bytes and mode; directories too. Git's own and ours in it are left out. */
function snapshot(top: string): Record<string, string> {
  const entries: [string, string][] = readdirSync(top, { recursive: true, encoding: "utf8" })
    // what runs keeps its compiled code in a cache, which holds nobody's settings
    .filter((name) => !/^\.(?:git|cache)(\/|$)/.test(name))
    .map((name) => {
      const stat = lstatSync(join(top, name));
      const content = stat.isFile() ? readFileSync(join(top, name), "latin1") : "directory";
      return [name, `${(stat.mode & 0o777).toString(8)} ${content}`];
    });
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function put(top: string, path: string, text: string): void {
  mkdirSync(dirname(join(top, path)), { recursive: true });
  writeFileSync(join(top, path), text);
}

/** Settings as people have them: comments, odd layouts, other people's hooks, no line end at the end. */
const jsonTexts = [
  '// mine\n{\n\t"hooks": { "PreToolUse": [ { "matcher": "*", "hooks": [ {"type":"command","command":"theirs"} ] } ] },\n\t"x": [1,   2],\n}\n',
  '{"a":1}',
  "{ }\n",
  '{\r\n  "version": 1,\r\n  "hooks": {}\r\n}\r\n',
];
const tomlText = 'default_model = "m"\n[[hooks]]\nevent = "Stop"\ncommand = "theirs"';

function putSettings(top: string, paths: readonly string[]): void {
  for (const [index, path] of paths.entries()) {
    if (path.endsWith(".toml")) put(top, path, tomlText);
    else if (path.endsWith("hooks/keyframe.json")) continue;
    else if (path.endsWith(".json")) put(top, path, jsonTexts[index % jsonTexts.length] ?? "{}");
    else put(top, join(dirname(path), "theirs"), "theirs\n");
  }
}

const repositoryPaths = agentConnections.flatMap((connection) =>
  connection.repository.map(({ path }) => path),
);
const homePaths = agentConnections.flatMap((connection) =>
  connection.home(repository?.env ?? {}).map(({ path }) => path),
);

describe("all agents at once", () => {
  test.each([
    ["no settings yet", false],
    ["settings of all of them", true],
  ])("with %s: every file is given back byte for byte, in the repository and in the home", (_, isSet) => {
    if (isSet) {
      putSettings(repository.folder, [".claude/settings.local.json", ...repositoryPaths]);
      putSettings(home, homePaths);
    }
    const before = [snapshot(repository.folder), snapshot(home)];
    // the personal settings of Claude Code are kept out of sight in any case
    const inSight = () =>
      repository.git("status", "--porcelain", "-uall").replace("?? .claude/settings.local.json\n", "");
    const status = inSight();

    expect(repository.keyframe(["enable", "--agent", all])).toMatchObject({ code: 0 });
    expect(repository.keyframe(["enable", "--global", "--agent", all])).toMatchObject({ code: 0 });
    // what we made is kept out of git's sight, what was there stays in it
    expect(inSight()).toBe(status);
    const listed = JSON.parse(repository.keyframe(["agents", "--json"]).stdout) as {
      readonly agent: string;
      readonly connected: string;
    }[];
    for (const { agent, connected } of listed)
      expect([agent, connected]).toEqual([agent, ["pi", "kimi"].includes(agent) ? "home" : "both"]);
    // again changes nothing
    expect(repository.keyframe(["enable", "--agent", all]).stdout).toContain("Nothing to change.");
    expect(repository.keyframe(["enable", "--global", "--agent", all]).stdout).toContain(
      "Nothing to change.",
    );
    expect(JSON.parse(repository.keyframe(["status", "--json"]).stdout)).toMatchObject({ state: "on" });

    expect(repository.keyframe(["disable", "--uninstall"]).code).toBe(0);
    expect(repository.keyframe(["disable", "--global"]).code).toBe(0);
    expect([snapshot(repository.folder), snapshot(home)]).toEqual(before);
  });

  test("what somebody added to the settings since stays when ours goes", () => {
    expect(repository.keyframe(["enable", "--agent", all]).code).toBe(0);
    const path = join(repository.folder, ".codex/hooks.json");
    const settings = JSON.parse(readFileSync(path, "utf8")) as { hooks: Record<string, unknown[]> };
    settings.hooks["Stop"]?.push({ hooks: [{ type: "command", command: "theirs" }] });
    writeFileSync(path, JSON.stringify(settings));
    expect(repository.keyframe(["disable", "--uninstall"]).code).toBe(0);
    expect(JSON.parse(readFileSync(path, "utf8"))).toEqual({
      hooks: { Stop: [{ hooks: [{ type: "command", command: "theirs" }] }] },
    });
  });
});

describe("settings that cannot be edited", () => {
  const path = () => join(repository.folder, ".codex/hooks.json");
  test.each([
    ["damaged", () => put(repository.folder, ".codex/hooks.json", "{"), "line 1"],
    [
      "a symlink",
      () => {
        put(repository.folder, "elsewhere.json", "{}");
        mkdirSync(dirname(path()));
        symlinkSync("../elsewhere.json", path());
      },
      "symlink",
    ],
    [
      "read-only",
      () => {
        put(repository.folder, ".codex/hooks.json", "{}\n");
        chmodSync(path(), 0o444);
      },
      "read-only",
    ],
    [
      "committed",
      () => {
        put(repository.folder, ".codex/hooks.json", "{}\n");
        repository.commit("settings");
      },
      "committed",
    ],
  ])("%s: refused by name where the agent was named, else left alone", (_, make, why) => {
    make();
    const before = snapshot(repository.folder);
    const named = repository.keyframe(["enable", "--agent", "codex"]);
    expect(named.code).not.toBe(0);
    expect(named.stderr).toContain(".codex/hooks.json");
    expect(named.stderr).toContain(why);
    expect(snapshot(repository.folder)).toEqual(before);
    // its directory shows that the agent is used here
    const found = repository.keyframe(["enable"]);
    expect([found.code, found.stderr]).toEqual([0, expect.stringContaining(".codex/hooks.json")]);
    expect(snapshot(repository.folder)).toMatchObject({ ".codex/hooks.json": before[".codex/hooks.json"] });
  });

  test.each(["codex", "claude"])("%s: a directory that leads elsewhere is not written through", (agent) => {
    const outside = join(home, "outside");
    mkdirSync(outside);
    symlinkSync(outside, join(repository.folder, `.${agent}`));
    repository.commit("a link");
    const result = repository.keyframe(["enable", "--agent", agent]);
    expect([result.code, result.stderr]).toEqual([4, expect.stringContaining("symlink")]);
    expect(readdirSync(outside)).toEqual([]);
  });

  test("somebody else's file in the place of ours is refused", () => {
    put(repository.folder, ".opencode/plugin/keyframe.js", "export const theirs = 1;\n");
    const result = repository.keyframe(["enable", "--agent", "opencode"]);
    expect([result.code, result.stderr]).toEqual([
      4,
      expect.stringContaining(".opencode/plugin/keyframe.js"),
    ]);
  });
});

describe("hooks in the home", () => {
  const payload = (cwd: string) =>
    JSON.stringify({ session_id: "s-1", cwd, hook_event_name: "UserPromptSubmit", prompt: "go", model: "m" });
  const hear = (words: readonly string[]) =>
    repository.keyframe(["hook", "codex", ...words], { stdin: payload(repository.folder) });
  const heard = () =>
    (
      JSON.parse(repository.keyframe(["agents", "--json"]).stdout) as { agent: string; lastHeard?: string }[]
    ).some(({ agent, lastHeard }) => agent === "codex" && lastHeard !== undefined);

  test("record where Keyframe is on, everywhere if told so, and nowhere it was disabled", () => {
    hear(["--where-enabled"]);
    expect(heard()).toBe(false);
    hear(["--everywhere"]);
    expect(heard()).toBe(true);
  });

  test("record in a repository that was enabled, unless it connects the agent itself", () => {
    expect(repository.keyframe(["enable", "--agent", "claude,codex"]).code).toBe(0);
    hear(["--where-enabled"]);
    expect(heard()).toBe(false);
    expect(repository.keyframe(["disable", "--uninstall"]).code).toBe(0);
    hear(["--everywhere"]);
    expect(heard()).toBe(false);
    expect(repository.keyframe(["enable", "--agent", "claude"]).code).toBe(0);
    hear(["--where-enabled"]);
    expect(heard()).toBe(true);
  });
});

const serverConnections = agentConnections.filter(({ servers }) => servers !== undefined);
const serverAgents = serverConnections.map(({ agent }) => agent).join(",");
const serverPaths = serverConnections.flatMap(({ servers }) => servers?.({}).repository?.path ?? []);
const homeServerPaths = () =>
  serverConnections
    .flatMap(({ servers }) => servers?.(repository.env).home.path ?? [])
    .map((path) => relative(home, resolve(home, path)));

describe("servers that agents may ask", () => {
  test.each([
    ["no settings yet", false],
    ["settings of all of them", true],
  ])("with %s: each is named once, and every file is given back byte for byte", (_, isSet) => {
    if (isSet) {
      putSettings(repository.folder, [...new Set([...repositoryPaths, ...serverPaths])]);
      putSettings(home, [...new Set([...homePaths, ...homeServerPaths()])]);
    }
    const before = [snapshot(repository.folder), snapshot(home)];
    for (const [top, paths, global] of [
      [repository.folder, serverPaths, []],
      [home, homeServerPaths(), ["--global"]],
    ] as const) {
      const enable = ["enable", ...global, "--agent", serverAgents, "--mcp"];
      expect(repository.keyframe([...enable, "--dry-run"]).stdout).toContain("ask Keyframe over MCP");
      expect([snapshot(repository.folder), snapshot(home)]).toEqual(before);
      expect(repository.keyframe(enable)).toMatchObject({ code: 0 });
      for (const path of paths) {
        const text = readFileSync(join(top, path), "utf8");
        expect([path, text.match(/keyframe(?:\.cjs)?",?\s*"mcp"/g)?.length]).toEqual([path, 1]);
      }
      const once = [snapshot(repository.folder), snapshot(home)];
      // again, and without the word: nothing is added or lost
      expect(repository.keyframe(enable).stdout).toContain("Nothing to change.");
      expect(repository.keyframe(["enable", ...global, "--agent", serverAgents]).stdout).toContain(
        "Nothing to change.",
      );
      expect([snapshot(repository.folder), snapshot(home)]).toEqual(once);
      if (!isSet) expect(repository.git("status", "--porcelain")).toBe("");
      repository.keyframe(["disable", ...(global.length > 0 ? global : ["--uninstall"])]);
      expect([snapshot(repository.folder), snapshot(home)]).toEqual(before);
    }
  });

  test("only those who ask for it are told of the server", () => {
    repository.keyframe(["enable", "--agent", serverAgents]);
    expect(lstatSync(join(repository.folder, ".mcp.json"), { throwIfNoEntry: false })).toBe(undefined);
    expect(readFileSync(join(repository.folder, ".gemini/settings.json"), "utf8")).not.toContain(
      "mcpServers",
    );
  });

  test.each([
    [".mcp.json", "claude", '{"mcpServers": {"keyframe": ', "expected"],
    [".mcp.json", "claude", '{"mcpServers": []}', "is not an object"],
    [".mcp.json", "claude", '{"mcpServers": {"keyframe": {"command": "other"}}}', "another server"],
    [
      ".codex/config.toml",
      "codex",
      '[mcp_servers.keyframe]\ncommand = "other"\n[x]\nkeyframe = "mcp"\n',
      "another server",
    ],
    [".codex/config.toml", "codex", "mcp_servers = {}\n", "one value"],
  ])("%s of %s with %j is refused and stays as it is", (path, agent, text, problem) => {
    put(repository.folder, path, text);
    const result = repository.keyframe(["enable", "--agent", agent, "--mcp"]);
    expect([result.code === 0, result.stderr]).toEqual([false, expect.stringContaining(problem)]);
    expect(readFileSync(join(repository.folder, path), "utf8")).toBe(text);
  });

  test("an entry that somebody made, and a file that is committed, stay as they are", () => {
    const own = '{"mcpServers": {"keyframe": {"command": "keyframe", "args": ["mcp"]}}}\n';
    put(repository.folder, ".mcp.json", own);
    expect(repository.keyframe(["enable", "--agent", "claude", "--mcp"]).code).toBe(0);
    repository.keyframe(["disable", "--uninstall"]);
    expect(readFileSync(join(repository.folder, ".mcp.json"), "utf8")).toBe(own);
    put(repository.folder, ".cursor/mcp.json", "{}\n");
    repository.commit("Settings for everybody");
    mkdirSync(join(home, ".cursor"));
    expect(repository.keyframe(["enable", "--mcp"]).stderr).toContain("mcp.json is committed");
    expect(readFileSync(join(repository.folder, ".cursor/mcp.json"), "utf8")).toBe("{}\n");
  });
});
