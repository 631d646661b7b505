import { agentHookCommand } from "./agent-program.ts";
import { claudeHookEvents, claudeHookShape } from "./claude-settings.ts";
import { type HookFile, jsonHookFile, ownFile } from "./hook-file.ts";
import { jsonMcpFile, tomlMcpFile } from "./mcp-file.ts";
import { opencodePluginText, piExtensionText } from "./plugin-text.ts";
import { tomlHookFile } from "./toml-hooks.ts";

/** How an agent is found on a machine and connected. Claude Code's files in a repository are a case of their own. */
export interface AgentConnection {
  readonly agent: string;
  readonly title: string;
  /** Programs whose presence on the PATH shows that the agent is used. */
  readonly programs: readonly string[];
  /** Directories, from the home and from the work tree, that show the same. */
  readonly homeMarks: readonly string[];
  readonly repositoryMarks: readonly string[];
  /** Files in the work tree. None: the agent reads hooks from the home alone, or ignores those of a repository. */
  readonly repository: readonly HookFile[];
  /** Files in the home; `env` may move them. */
  readonly home: (env: NodeJS.ProcessEnv) => readonly HookFile[];
  /** The files that name the servers it may ask: of a repository, and in the home. */
  readonly servers?: (env: NodeJS.ProcessEnv) => {
    readonly repository?: HookFile;
    readonly home: HookFile;
  };
  /** What being connected costs or asks of the user. */
  readonly note?: string;
}

const toolEvents = ["PreToolUse", "PostToolUse"];
const claudeEvents = [
  "SessionStart",
  "UserPromptSubmit",
  ...toolEvents,
  "Stop",
  "SubagentStop",
  "SessionEnd",
];

/** Groups of hooks by event, as Claude Code has them. */
function groups(
  path: string,
  agent: string,
  { events, group = {}, hook = {} }: { events: readonly string[]; group?: object; hook?: object },
): HookFile {
  return jsonHookFile(path, agent, (command) => ({
    events,
    entryOf: () => ({ ...group, hooks: [{ type: "command", command: command(), ...hook }] }),
  }));
}

const codexShape = { events: claudeEvents, hook: { timeout: 30 } };
const geminiShape = {
  events: ["SessionStart", "BeforeAgent", "BeforeTool", "AfterTool", "AfterAgent", "SessionEnd"],
  hook: { name: "keyframe" },
};
const qwenShape = { events: [...claudeEvents, "PostToolUseFailure"], hook: { name: "keyframe" } };
const droidShape = { events: claudeEvents };
const auggieShape = {
  events: ["SessionStart", "PromptSubmit", ...toolEvents, "Stop", "SessionEnd"],
  // its unit is the millisecond
  hook: { timeout: 30_000 },
};
const kimiEvents = [...claudeEvents, "PostToolUseFailure"];
const clineEvents = [
  "TaskStart",
  "TaskResume",
  "TaskComplete",
  "TaskCancel",
  "UserPromptSubmit",
  ...toolEvents,
];
const copilotEvents = [
  "sessionStart",
  "userPromptSubmitted",
  "preToolUse",
  "postToolUse",
  "agentStop",
  "subagentStop",
  "sessionEnd",
];
const cursorEvents = [
  "sessionStart",
  "beforeSubmitPrompt",
  "preToolUse",
  "postToolUse",
  "postToolUseFailure",
  "stop",
  "sessionEnd",
];
const windsurfEvents = [
  "pre_user_prompt",
  "pre_write_code",
  "post_write_code",
  "pre_run_command",
  "post_run_command",
  "post_cascade_response_with_transcript",
];

/** The payload does not name the event, so the command does. The file is ours: VS Code reads it too. */
function copilotFile(path: string): HookFile {
  return ownFile(path, "copilot", {
    comment: "",
    textOf: ({ program, words }) => {
      const hooks = copilotEvents.map((event) => [
        event,
        [{ type: "command", bash: agentHookCommand(program, "copilot", [event, ...words]), timeoutSec: 30 }],
      ]);
      return `${JSON.stringify({ version: 1, hooks: Object.fromEntries(hooks) }, null, 2)}\n`;
    },
  });
}

/** One executable file for each event; it must say that the call may go on. */
function clineFile(folder: string, event: string): HookFile {
  return ownFile(`${folder}/${event}`, "cline", {
    comment: "#",
    head: "#!/bin/sh\n",
    isExecutable: true,
    textOf: ({ program, words }) =>
      `${agentHookCommand(program, "cline", [event, ...words])}\nprintf '{"cancel":false}\\n'\n`,
  });
}

function cursorFile(path: string): HookFile {
  return jsonHookFile(path, "cursor", (command) => ({
    events: cursorEvents,
    entryOf: () => ({ command: command() }),
    top: { version: 1 },
  }));
}

function windsurfFile(path: string): HookFile {
  return jsonHookFile(path, "windsurf", (command) => ({
    events: windsurfEvents,
    entryOf: () => ({ command: command(), show_output: false }),
  }));
}

function pluginFile(path: string, agent: string): HookFile {
  return ownFile(path, agent, { comment: "//", textOf: (start) => opencodePluginText(agent, start) });
}

function configHome(env: NodeJS.ProcessEnv): string {
  return env["XDG_CONFIG_HOME"] || ".config";
}

function claudeHomeFile(path: string): HookFile {
  const shape = claudeHookShape({ kind: "on-path" });
  return jsonHookFile(path, "claude", (command) => ({
    events: claudeHookEvents,
    entryOf: (event) => {
      const entry = shape.entryOf(event) as { readonly hooks: readonly object[] };
      return { ...entry, hooks: entry.hooks.map((hook) => ({ ...hook, command: command() })) };
    },
  }));
}

function mcpServers(path: string, more: object = {}): HookFile {
  return jsonMcpFile(path, {
    list: "mcpServers",
    entryOf: (command, args) => ({ ...more, command, args }),
  });
}

function opencodeServers(path: string): HookFile {
  return jsonMcpFile(path, {
    list: "mcp",
    entryOf: (command, args) => ({ type: "local", command: [command, ...args], enabled: true }),
  });
}

const offlineNote =
  "without a network its first start with a plugin takes a minute longer: it looks for a package of its own";

/** Every agent that `keyframe enable` can connect. */
export const agentConnections: readonly AgentConnection[] = [
  {
    agent: "claude",
    title: "Claude Code",
    programs: ["claude"],
    homeMarks: [".claude"],
    repositoryMarks: [".claude"],
    repository: [],
    home: (env) => [claudeHomeFile(`${env["CLAUDE_CONFIG_DIR"] || ".claude"}/settings.json`)],
    servers: (env) => ({
      repository: mcpServers(".mcp.json"),
      home: mcpServers(
        env["CLAUDE_CONFIG_DIR"] ? `${env["CLAUDE_CONFIG_DIR"]}/.claude.json` : ".claude.json",
      ),
    }),
  },
  {
    agent: "codex",
    title: "Codex",
    programs: ["codex"],
    homeMarks: [".codex"],
    repositoryMarks: [".codex"],
    repository: [groups(".codex/hooks.json", "codex", codexShape)],
    home: (env) => [groups(`${env["CODEX_HOME"] || ".codex"}/hooks.json`, "codex", codexShape)],
    servers: (env) => ({
      repository: tomlMcpFile(".codex/config.toml"),
      home: tomlMcpFile(`${env["CODEX_HOME"] || ".codex"}/config.toml`),
    }),
    note: "it asks you once to trust these hooks, and ignores them until then",
  },
  {
    agent: "copilot",
    title: "Copilot CLI and GitHub Copilot in VS Code",
    programs: ["copilot"],
    homeMarks: [".copilot"],
    repositoryMarks: [".github/hooks"],
    repository: [copilotFile(".github/hooks/keyframe.json")],
    home: () => [copilotFile(".copilot/hooks/keyframe.json")],
    servers: () => ({ home: mcpServers(".copilot/mcp-config.json", { type: "local", tools: ["*"] }) }),
  },
  {
    agent: "opencode",
    title: "OpenCode",
    programs: ["opencode"],
    homeMarks: [".config/opencode", ".local/share/opencode"],
    repositoryMarks: [".opencode"],
    repository: [pluginFile(".opencode/plugin/keyframe.js", "opencode")],
    home: (env) => [pluginFile(`${configHome(env)}/opencode/plugin/keyframe.js`, "opencode")],
    servers: (env) => ({
      repository: opencodeServers("opencode.json"),
      home: opencodeServers(`${configHome(env)}/opencode/opencode.json`),
    }),
    note: offlineNote,
  },
  {
    agent: "pi",
    title: "Pi",
    programs: ["pi"],
    homeMarks: [".pi/agent"],
    repositoryMarks: [".pi"],
    repository: [],
    home: () => [
      ownFile(".pi/agent/extensions/keyframe.ts", "pi", {
        comment: "//",
        textOf: (start) => piExtensionText("pi", start),
      }),
    ],
    note: "it ignores extensions of a repository that it does not trust, so it is connected in your home alone",
  },
  {
    agent: "gemini",
    title: "Gemini CLI",
    programs: ["gemini"],
    homeMarks: [".gemini"],
    repositoryMarks: [".gemini"],
    repository: [groups(".gemini/settings.json", "gemini", geminiShape)],
    home: () => [groups(".gemini/settings.json", "gemini", geminiShape)],
    servers: () => ({
      repository: mcpServers(".gemini/settings.json"),
      home: mcpServers(".gemini/settings.json"),
    }),
    note: "it ignores settings of a directory that it does not trust",
  },
  {
    agent: "qwen",
    title: "Qwen Code",
    programs: ["qwen"],
    homeMarks: [".qwen"],
    repositoryMarks: [".qwen"],
    repository: [groups(".qwen/settings.json", "qwen", qwenShape)],
    home: () => [groups(".qwen/settings.json", "qwen", qwenShape)],
    servers: () => ({
      repository: mcpServers(".qwen/settings.json"),
      home: mcpServers(".qwen/settings.json"),
    }),
    note: "it ignores settings of a directory that it does not trust",
  },
  {
    agent: "droid",
    title: "Factory Droid",
    programs: ["droid"],
    homeMarks: [".factory"],
    repositoryMarks: [".factory"],
    repository: [groups(".factory/settings.json", "droid", droidShape)],
    home: () => [groups(".factory/settings.json", "droid", droidShape)],
    servers: () => ({
      repository: mcpServers(".factory/mcp.json", { type: "stdio" }),
      home: mcpServers(".factory/mcp.json", { type: "stdio" }),
    }),
  },
  {
    agent: "auggie",
    title: "Auggie",
    programs: ["auggie"],
    homeMarks: [".augment"],
    repositoryMarks: [".augment"],
    repository: [groups(".augment/settings.local.json", "auggie", auggieShape)],
    home: () => [groups(".augment/settings.json", "auggie", auggieShape)],
    note: "it runs hooks only where its service allows them",
  },
  {
    agent: "kimi",
    title: "Kimi Code",
    programs: ["kimi"],
    homeMarks: [".kimi-code"],
    repositoryMarks: [],
    repository: [],
    home: (env) => [tomlHookFile(`${env["KIMI_CODE_HOME"] || ".kimi-code"}/config.toml`, "kimi", kimiEvents)],
    note: "it reads hooks from your home alone",
  },
  {
    agent: "cline",
    title: "Cline",
    programs: ["cline"],
    homeMarks: [".cline"],
    repositoryMarks: [".cline", ".clinerules"],
    repository: clineEvents.map((event) => clineFile(".cline/hooks", event)),
    home: () => clineEvents.map((event) => clineFile(".cline/hooks", event)),
  },
  {
    agent: "kilo",
    title: "Kilo",
    programs: ["kilo"],
    homeMarks: [".config/kilo"],
    repositoryMarks: [".kilo"],
    repository: [pluginFile(".kilo/plugin/keyframe.js", "kilo")],
    home: (env) => [pluginFile(`${configHome(env)}/kilo/plugin/keyframe.js`, "kilo")],
    note: offlineNote,
  },
  {
    agent: "cursor",
    title: "Cursor",
    programs: ["cursor", "cursor-agent"],
    homeMarks: [".cursor"],
    repositoryMarks: [".cursor"],
    repository: [cursorFile(".cursor/hooks.json")],
    home: () => [cursorFile(".cursor/hooks.json")],
    servers: () => ({ repository: mcpServers(".cursor/mcp.json"), home: mcpServers(".cursor/mcp.json") }),
  },
  {
    agent: "windsurf",
    title: "Windsurf",
    programs: ["windsurf"],
    homeMarks: [".codeium/windsurf"],
    repositoryMarks: [".windsurf"],
    repository: [windsurfFile(".windsurf/hooks.json")],
    home: () => [windsurfFile(".codeium/windsurf/hooks.json")],
  },
];

export function findConnection(agent: string): AgentConnection | undefined {
  return agentConnections.find((connection) => connection.agent === agent);
}
