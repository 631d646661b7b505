import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { claudeProgram, claudeVersion } from "../real-claude.ts";
import type { ScriptedCall } from "./agent-actions.ts";
import { moreRealAgents } from "./more-real-agents.ts";
import { opencodeCalls, opencodeSettings, opencodeWords } from "./opencode-family.ts";
import { plainCalls } from "./plain-calls.ts";
import type { AgentRun, RealAgent } from "./real-agent.ts";

const key = "not-a-key";

/** Real programs, most of which run the conformance suite in every run of the tests. */
const coreAgents: readonly RealAgent[] = [
  {
    name: "claude",
    packageName: "@anthropic-ai/claude-code",
    version: claudeVersion,
    program: claudeProgram,
    model: "claude-sonnet-4-5-20250929",
    files: () => ({}),
    env: ({ url }) => ({
      ANTHROPIC_BASE_URL: url,
      ANTHROPIC_API_KEY: key,
      ANTHROPIC_MODEL: "claude-sonnet-4-5-20250929",
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
      DISABLE_TELEMETRY: "1",
      DISABLE_ERROR_REPORTING: "1",
      DISABLE_AUTOUPDATER: "1",
    }),
    args: (run) => claudeWords(run, claudeMayAll),
    calls: plainCalls({
      write: ["Write", "file_path", "content"],
      edit: ["Edit", "file_path", "old_string", "new_string"],
      shell: ["Bash", "command", { description: "run" }],
      read: ["Read", "file_path"],
    }),
    more: {
      background: (command) => ({
        name: "Bash",
        input: { command, description: "run", run_in_background: true },
      }),
      delegate: (prompt) => ({
        name: "Agent",
        input: { description: "help", prompt, subagent_type: "general-purpose", run_in_background: false },
      }),
    },
    plan: (run) => claudeWords(run, ["--permission-mode", "plan"]),
    fork: (run) => claudeWords(run, [...claudeMayAll, "--fork-session"]),
    can: { resume: true, transcript: true },
  },
  {
    name: "codex",
    packageName: "@openai/codex",
    version: "0.171.0",
    program: "node_modules/.bin/codex",
    model: "gpt-5.5",
    files: ({ url, cwd }) => ({
      ".codex/config.toml": `model = "gpt-5.5"
model_provider = "mock"
check_for_update_on_startup = false
[model_providers.mock]
name = "mock"
base_url = "${url}/v1"
env_key = "MOCK_KEY"
wire_api = "responses"
request_max_retries = 0
stream_max_retries = 0
[analytics]
enabled = false
[projects."${cwd}"]
trust_level = "trusted"
`,
    }),
    env: ({ home }) => ({ CODEX_HOME: join(home, ".codex"), MOCK_KEY: key }),
    args: ({ prompt, resume }) => [
      "exec",
      ...(resume === undefined ? [] : ["resume", resume]),
      ...codexWords,
      prompt,
    ],
    calls(action) {
      const added = (text: string) => text.split("\n").map((line) => `+${line}`);
      switch (action.do) {
        case "write":
          return codexPatch([`*** Add File: ${action.path}`, ...added(action.content.replace(/\n$/, ""))]);
        case "edit": {
          const removed = action.from.split("\n").map((line) => `-${line}`);
          return codexPatch([`*** Update File: ${action.path}`, "@@", ...removed, ...added(action.to)]);
        }
        case "shell":
          return { name: "exec_command", input: { cmd: action.command } };
        case "read":
          return { name: "exec_command", input: { cmd: `cat '${action.path}'` } };
      }
    },
    more: {
      delete: (path) => codexPatch([`*** Delete File: ${path}`]),
      rename: (path, to) =>
        codexPatch([`*** Update File: ${path}`, `*** Move to: ${to}`, "@@", " r1", "-r2", "+r2 moved"]),
      background: (command) => ({ name: "exec_command", input: { cmd: command, yield_time_ms: 250 } }),
    },
    plan: ({ prompt }) => ["exec", "--json", "--dangerously-bypass-hook-trust", "-s", "read-only", prompt],
    fork: ({ prompt, resume = "" }) => ["exec", "fork", resume, ...codexWords, prompt],
    compact: { fullAt: 60_000, words: ["-c", "model_auto_compact_token_limit=50000"] },
    can: { resume: true, transcript: true },
  },
  {
    name: "copilot",
    packageName: "@github/copilot",
    version: "1.0.102",
    program: "node_modules/.bin/copilot",
    model: "mock-model",
    files: () => ({}),
    env: ({ url }) => ({
      COPILOT_OFFLINE: "true",
      COPILOT_AUTO_UPDATE: "false",
      COPILOT_ALLOW_ALL: "true",
      COPILOT_PROVIDER_BASE_URL: `${url}/v1`,
      COPILOT_PROVIDER_TYPE: "openai",
      COPILOT_PROVIDER_WIRE_API: "completions",
      COPILOT_PROVIDER_API_KEY: key,
      COPILOT_MODEL: "mock-model",
    }),
    args: ({ prompt, resume }) => [
      "-p",
      prompt,
      "--allow-all-tools",
      "--output-format",
      "json",
      ...(resume === undefined ? [] : [`--resume=${resume}`]),
    ],
    calls: plainCalls({
      write: ["create", "path", "file_text"],
      edit: ["edit", "path", "old_str", "new_str"],
      shell: ["bash", "command", { description: "run" }],
      read: ["view", "path"],
    }),
    more: {
      background: (command) => ({ name: "bash", input: { command, description: "run", mode: "async" } }),
      delegate: (prompt) => ({
        name: "task",
        input: { name: "help", description: "help", prompt, agent_type: "general-purpose", mode: "sync" },
      }),
    },
    plan: ({ prompt }) => ["-p", prompt, "--plan", "--output-format", "json"],
    compact: { fullAt: 125_000 },
    limits: {
      subagent: "a conversation of its own",
    },
    can: { resume: true, transcript: true },
  },
  {
    name: "opencode",
    packageName: "opencode-ai",
    version: "1.18.33",
    program: "node_modules/.bin/opencode",
    model: "mock-model",
    files: ({ url }) => ({ "opencode/opencode.json": opencodeSettings(url, key) }),
    env: () => ({
      OPENCODE_DISABLE_AUTOUPDATE: "1",
      OPENCODE_DISABLE_MODELS_FETCH: "1",
      OPENCODE_DISABLE_LSP_DOWNLOAD: "1",
      OPENCODE_DISABLE_DEFAULT_PLUGINS: "1",
    }),
    args: opencodeWords,
    calls: opencodeCalls,
    more: {
      delegate: (prompt) => ({
        name: "task",
        input: { description: "help", prompt, subagent_type: "general" },
      }),
    },
    plan: ({ prompt }) => ["run", "--format", "json", "--agent", "plan", prompt],
    fork: ({ prompt, resume = "" }) => ["run", "--format", "json", "--session", resume, "--fork", prompt],
    can: { resume: true, transcript: true },
  },
  {
    name: "pi",
    packageName: "@earendil-works/pi-coding-agent",
    version: "1.6.0",
    program: "node_modules/.bin/pi",
    wantsNewerNode: true,
    isHomeOnly: true,
    model: "mock-model",
    files: ({ url }) => ({
      ".pi/agent/models.json": JSON.stringify({
        providers: {
          mock: {
            baseUrl: `${url}/v1`,
            api: "openai-completions",
            apiKey: key,
            models: [{ id: "mock-model" }],
          },
        },
      }),
    }),
    env: () => ({ PI_OFFLINE: "1", PI_TELEMETRY: "0" }),
    args: ({ prompt, resume }) => [
      ...piWords,
      ...(resume === undefined ? [] : ["--session", resume]),
      prompt,
    ],
    calls(action, cwd) {
      const plain = plainCalls({
        write: ["write", "path", "content"],
        edit: ["edit", "path", "oldText", "newText"],
        shell: ["bash", "command"],
        read: ["read", "path"],
      })(action, cwd);
      if (action.do !== "edit") return plain;
      const edits = [{ oldText: action.from, newText: action.to }];
      return { name: "edit", input: { path: join(cwd, action.path), edits } };
    },
    plan: ({ prompt }) => [...piWords, "--tools", "read,grep,find,ls", prompt],
    fork: ({ prompt, resume = "" }) => [...piWords, "--fork", resume, prompt],
    can: { resume: true, transcript: true },
  },
  {
    name: "qwen",
    packageName: "@qwen-code/qwen-code",
    version: "0.24.4",
    program: "node_modules/.bin/qwen",
    wantsNewerNode: true,
    model: "mock-model",
    files: () => ({
      ".qwen/settings.json": JSON.stringify({
        general: { enableAutoUpdate: false, disableAutoUpdate: true },
        privacy: { usageStatisticsEnabled: false },
        telemetry: { enabled: false },
        security: { auth: { selectedType: "openai" }, folderTrust: { enabled: false } },
      }),
    }),
    env: ({ url }) => ({ OPENAI_API_KEY: key, OPENAI_BASE_URL: `${url}/v1`, OPENAI_MODEL: "mock-model" }),
    args: ({ prompt, resume }) => [
      ...(resume === undefined ? [] : ["--resume", resume]),
      ...qwenWords(prompt, "yolo"),
    ],
    calls: plainCalls({
      write: ["write_file", "file_path", "content"],
      edit: ["edit", "file_path", "old_string", "new_string"],
      shell: ["run_shell_command", "command", { description: "run", is_background: false }],
      read: ["read_file", "file_path"],
    }),
    more: {
      background: (command) => ({
        name: "run_shell_command",
        input: { command, description: "run", is_background: true },
      }),
      delegate: (prompt) => ({
        name: "agent",
        input: { description: "help", prompt, subagent_type: "general-purpose" },
      }),
    },
    plan: ({ prompt }) => qwenWords(prompt, "plan"),
    fork: ({ prompt, resume = "" }) => ["--resume", resume, "--fork-session", ...qwenWords(prompt, "yolo")],
    can: { resume: true, transcript: true },
  },
  {
    name: "droid",
    packageName: "droid",
    version: "0.215.0",
    program: "node_modules/.bin/droid",
    model: "custom:mock-model",
    files: ({ url }) => ({
      ".factory/settings.json": JSON.stringify({
        customModels: [
          {
            model: "mock-model",
            id: "custom:mock-model",
            displayName: "mock",
            baseUrl: `${url}/v1`,
            apiKey: key,
            provider: "generic-chat-completion-api",
            maxOutputTokens: 8000,
            noImageSupport: true,
          },
        ],
        model: "custom:mock-model",
        cloudSessionSync: false,
        enableDroidShield: false,
      }),
    }),
    env: () => ({
      FACTORY_AIRGAP_ENABLED: "true",
      FACTORY_DROID_AUTO_UPDATE_ENABLED: "false",
      FACTORY_DISABLE_KEYRING: "1",
    }),
    args: ({ prompt }) => ["exec", "--skip-permissions-unsafe", ...droidWords, prompt],
    calls: plainCalls({
      write: ["Create", "file_path", "content"],
      edit: ["Edit", "file_path", "old_str", "new_str", { change_all: false }],
      shell: [
        "Execute",
        "command",
        { summary: "run", riskLevel: "low", riskLevelReason: "a test", timeout: 90 },
      ],
      read: ["Read", "file_path"],
    }),
    more: {
      background: (command) => ({
        name: "Execute",
        input: { command, summary: "run", riskLevel: "low", riskLevelReason: "a test", fireAndForget: true },
      }),
      delegate: (prompt) => ({
        name: "Task",
        input: { subagent_type: "worker", description: "help", prompt, complexity: "light", await: true },
      }),
    },
    plan: ({ prompt }) => ["exec", ...droidWords, prompt],
    fork: ({ prompt, resume = "" }) => [
      "exec",
      "--skip-permissions-unsafe",
      ...droidWords,
      "--fork",
      resume,
      prompt,
    ],
    limits: {
      subagent: "a conversation of its own",
      tokens: "not told",
    },
    // it continues a conversation by its vendor's service only
    can: { resume: false, transcript: true },
  },
  {
    name: "kimi",
    packageName: "@moonshot-ai/kimi-code",
    version: "2.1.0",
    program: "node_modules/.bin/kimi",
    wantsNewerNode: true,
    isHomeOnly: true,
    model: "mock-model",
    files: ({ url }) => ({
      ".kimi-code/config.toml": `default_model = "mock"
[providers.mock]
type = "openai"
base_url = "${url}/v1"
api_key = "${key}"
[models.mock]
provider = "mock"
model = "mock-model"
max_context_size = 128000
capabilities = ["tool_use"]
`,
    }),
    env: () => ({ KIMI_CODE_NO_AUTO_UPDATE: "1", KIMI_DISABLE_TELEMETRY: "1" }),
    args: ({ prompt, resume }) => [
      ...(resume === undefined ? [] : ["-S", resume]),
      "-p",
      prompt,
      "--output-format",
      "stream-json",
    ],
    calls: plainCalls({
      write: ["Write", "path", "content"],
      edit: ["Edit", "path", "old_string", "new_string"],
      shell: ["Bash", "command", { timeout: 90 }],
      read: ["Read", "path"],
    }),
    more: {
      background: (command) => ({
        name: "Bash",
        input: { command, description: "run", run_in_background: true },
      }),
      delegate: (prompt) => ({ name: "Agent", input: { prompt, description: "help" } }),
    },
    compact: { fullAt: 125_000 },
    can: { resume: true, transcript: true },
  },
  {
    name: "cline",
    packageName: "cline",
    version: "3.0.65",
    program: "node_modules/.bin/cline",
    model: "mock-model",
    files: () => ({}),
    env: () => ({ CLINE_NO_AUTO_UPDATE: "1", CLINE_TELEMETRY_DISABLED: "1", DO_NOT_TRACK: "1" }),
    setup: ({ url }) => ["auth", "-p", "openai", "-k", key, "-m", "mock-model", "-b", `${url}/v1`],
    args: ({ prompt }) => ["--json", prompt],
    calls(action, cwd) {
      const path = "path" in action ? join(cwd, action.path) : "";
      switch (action.do) {
        case "write":
          return { name: "editor", input: { path, new_text: action.content } };
        case "edit":
          return { name: "editor", input: { path, old_text: action.from, new_text: action.to } };
        case "shell":
          return { name: "run_commands", input: { commands: [action.command] } };
        case "read":
          return { name: "read_files", input: { files: [{ path }] } };
      }
    },
    leftovers: clineHubs,
    more: {
      delegate: (prompt) => ({ name: "spawn_agent", input: { systemPrompt: "You help.", task: prompt } }),
    },
    plan: ({ prompt }) => ["--json", "--plan", prompt],
    // it continues a conversation on its screen only
    can: { resume: false, transcript: true },
  },
];

/**
 * Those that play the suite in every run of the tests. Kimi's outcome depends on how busy the machine is: its hooks are not
 * waited for.
 */
export const inEveryRun: readonly string[] = [
  "claude",
  "codex",
  "copilot",
  "opencode",
  "pi",
  "qwen",
  "droid",
  "cline",
];

/** Real programs that run without a login against a model of ours, with what each needs. */
export const realAgents: readonly RealAgent[] = [...coreAgents, ...moreRealAgents];

// its mode without questions refuses to run as root
const claudeMayAll = ["--permission-mode", "acceptEdits", "--allowedTools", "Bash Write Edit Read Agent"];

function claudeWords({ prompt, resume }: AgentRun, mode: readonly string[]): readonly string[] {
  const from = resume === undefined ? [] : ["--resume", resume];
  return ["-p", prompt, "--output-format", "stream-json", "--verbose", ...mode, ...from];
}

const codexWords = [
  "--json",
  "--dangerously-bypass-hook-trust",
  "--dangerously-bypass-approvals-and-sandbox",
];

function codexPatch(lines: readonly string[]): ScriptedCall {
  return {
    name: "apply_patch",
    input: { text: ["*** Begin Patch", ...lines, "*** End Patch", ""].join("\n") },
  };
}

const piWords = ["-p", "--mode", "json", "--provider", "mock", "--model", "mock-model"];
const droidWords = ["-m", "custom:mock-model", "-o", "stream-json"];

function qwenWords(prompt: string, mode: string): readonly string[] {
  return ["--auth-type", "openai", "--approval-mode", mode, "--output-format", "stream-json", prompt];
}

/** Cline leaves a process of its own behind, one for each home. */
function clineHubs(home: string): readonly number[] {
  const processes = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return processes.filter((pid) => isClineHub(pid, home)).map(Number);
}

function isClineHub(pid: string, home: string): boolean {
  const read = (name: string) => {
    try {
      return existsSync(`/proc/${pid}/${name}`)
        ? readFileSync(`/proc/${pid}/${name}`, "latin1").split("\0")
        : [];
    } catch {
      return []; // another user's, or gone
    }
  };
  return read("cmdline").includes("--cline-hub-daemon") && read("environ").includes(`HOME=${home}`);
}
