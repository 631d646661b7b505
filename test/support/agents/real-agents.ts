import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { AgentAction, ScriptedCall } from "./agent-actions.ts";
import type { RealAgent } from "./real-agent.ts";

type Doing = Exclude<AgentAction, { do: "say" }>;

/** Calls of an agent whose tools differ from others' in names only. */
function plainCalls(names: {
  readonly write: readonly [tool: string, path: string, content: string];
  readonly edit: readonly [tool: string, path: string, from: string, to: string, more?: object];
  readonly shell: readonly [tool: string, command: string, more?: object];
  readonly read: readonly [tool: string, path: string];
}) {
  return (action: Doing, cwd: string): ScriptedCall => {
    switch (action.do) {
      case "write": {
        const [name, path, content] = names.write;
        return { name, input: { [path]: join(cwd, action.path), [content]: action.content } };
      }
      case "edit": {
        const [name, path, from, to, more] = names.edit;
        return {
          name,
          input: { [path]: join(cwd, action.path), [from]: action.from, [to]: action.to, ...more },
        };
      }
      case "shell": {
        const [name, command, more] = names.shell;
        return { name, input: { [command]: action.command, ...more } };
      }
      case "read":
        return { name: names.read[0], input: { [names.read[1]]: join(cwd, action.path) } };
    }
  };
}

const key = "not-a-key";

/** Settings of OpenCode and its descendants. */
function opencodeSettings(url: string): string {
  const options = { baseURL: `${url}/v1`, apiKey: key };
  const model = { name: "mock", tool_call: true, limit: { context: 128_000, output: 8000 } };
  return JSON.stringify({
    autoupdate: false,
    share: "disabled",
    model: "mock/mock-model",
    small_model: "mock/mock-model",
    enabled_providers: ["mock"],
    permission: { edit: "allow", bash: "allow", webfetch: "deny" },
    provider: {
      mock: { npm: "@ai-sdk/openai-compatible", name: "mock", options, models: { "mock-model": model } },
    },
  });
}

const opencodeCalls = plainCalls({
  write: ["write", "filePath", "content"],
  edit: ["edit", "filePath", "oldString", "newString"],
  shell: ["bash", "command", { description: "run" }],
  read: ["read", "filePath"],
});

/** Real programs that run without a login against a model of ours, with what each needs. */
export const realAgents: readonly RealAgent[] = [
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
      "--json",
      "--dangerously-bypass-hook-trust",
      "--dangerously-bypass-approvals-and-sandbox",
      prompt,
    ],
    calls(action) {
      const patch = (lines: readonly string[]) => ({
        name: "apply_patch",
        input: { text: ["*** Begin Patch", ...lines, "*** End Patch", ""].join("\n") },
      });
      const added = (text: string) => text.split("\n").map((line) => `+${line}`);
      switch (action.do) {
        case "write":
          return patch([`*** Add File: ${action.path}`, ...added(action.content.replace(/\n$/, ""))]);
        case "edit": {
          const removed = action.from.split("\n").map((line) => `-${line}`);
          return patch([`*** Update File: ${action.path}`, "@@", ...removed, ...added(action.to)]);
        }
        case "shell":
          return { name: "exec_command", input: { cmd: action.command } };
        case "read":
          return { name: "exec_command", input: { cmd: `cat '${action.path}'` } };
      }
    },
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
    can: { resume: true, transcript: true },
  },
  {
    name: "opencode",
    packageName: "opencode-ai",
    version: "1.18.33",
    program: "node_modules/.bin/opencode",
    model: "mock-model",
    files: ({ url }) => ({ "opencode/opencode.json": opencodeSettings(url) }),
    env: () => ({
      OPENCODE_DISABLE_AUTOUPDATE: "1",
      OPENCODE_DISABLE_MODELS_FETCH: "1",
      OPENCODE_DISABLE_LSP_DOWNLOAD: "1",
      OPENCODE_DISABLE_DEFAULT_PLUGINS: "1",
    }),
    args: ({ prompt, resume }) => [
      "run",
      "--format",
      "json",
      ...(resume === undefined ? [] : ["--session", resume]),
      prompt,
    ],
    calls: opencodeCalls,
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
      "-p",
      "--mode",
      "json",
      "--provider",
      "mock",
      "--model",
      "mock-model",
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
      "--auth-type",
      "openai",
      "--approval-mode",
      "yolo",
      "--output-format",
      "stream-json",
      ...(resume === undefined ? [] : ["--resume", resume]),
      prompt,
    ],
    calls: plainCalls({
      write: ["write_file", "file_path", "content"],
      edit: ["edit", "file_path", "old_string", "new_string"],
      shell: ["run_shell_command", "command", { description: "run", is_background: false }],
      read: ["read_file", "file_path"],
    }),
    can: { resume: true, transcript: true },
  },
  {
    name: "gemini",
    packageName: "@google/gemini-cli",
    version: "0.61.0",
    program: "node_modules/.bin/gemini",
    model: "gemini-2.5-flash",
    files: () => ({
      ".gemini/settings.json": JSON.stringify({
        general: { disableAutoUpdate: true, enableAutoUpdate: false, enableAutoUpdateNotification: false },
        privacy: { usageStatisticsEnabled: false },
        telemetry: { enabled: false },
        security: { auth: { selectedType: "gemini-api-key" }, folderTrust: { enabled: false } },
      }),
    }),
    env: ({ url }) => ({
      GEMINI_API_KEY: key,
      GOOGLE_GEMINI_BASE_URL: url,
      GEMINI_CLI_TRUST_WORKSPACE: "true",
    }),
    args: ({ prompt, resume }) => [
      "--model",
      "gemini-2.5-flash",
      "--approval-mode",
      "yolo",
      "--output-format",
      "stream-json",
      ...(resume === undefined ? [] : ["--resume", resume]),
      "-p",
      prompt,
    ],
    calls: plainCalls({
      write: ["write_file", "file_path", "content"],
      edit: ["replace", "file_path", "old_string", "new_string", { instruction: "change" }],
      shell: ["run_shell_command", "command", { description: "run" }],
      read: ["read_file", "file_path"],
    }),
    can: { resume: true, transcript: true, quotedPaths: false },
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
    args: ({ prompt }) => [
      "exec",
      "--skip-permissions-unsafe",
      "-m",
      "custom:mock-model",
      "-o",
      "stream-json",
      prompt,
    ],
    calls: plainCalls({
      write: ["Create", "file_path", "content"],
      edit: ["Edit", "file_path", "old_str", "new_str", { change_all: false }],
      shell: [
        "Execute",
        "command",
        { summary: "run", riskLevel: "low", riskLevelReason: "a test", timeout: 20 },
      ],
      read: ["Read", "file_path"],
    }),
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
      shell: ["Bash", "command", { timeout: 20 }],
      read: ["Read", "path"],
    }),
    can: { resume: true, transcript: true },
  },
  {
    name: "auggie",
    packageName: "@augmentcode/auggie",
    version: "0.36.0",
    program: "node_modules/.bin/auggie",
    model: "unknown",
    files: () => ({}),
    env: ({ url }) => ({
      AUGMENT_DISABLE_AUTO_UPDATE: "1",
      AUGMENT_SESSION_AUTH: JSON.stringify({ accessToken: key, tenantURL: `${url}/`, scopes: ["email"] }),
    }),
    args: ({ prompt, resume }) => [
      "-p",
      "--output-format",
      "json",
      ...(resume === undefined ? [] : ["-r", resume]),
      prompt,
    ],
    calls(action, cwd) {
      switch (action.do) {
        case "write":
          return { name: "save-file", input: { path: action.path, file_content: action.content } };
        case "edit":
          return {
            name: "str-replace-editor",
            input: {
              command: "str_replace",
              path: action.path,
              str_replace_entries: [
                {
                  old_str: action.from,
                  old_str_start_line_number: 1,
                  old_str_end_line_number: 9,
                  new_str: action.to,
                },
              ],
            },
          };
        case "shell":
          return {
            name: "launch-process",
            input: { command: action.command, wait: true, max_wait_seconds: 20, cwd },
          };
        case "read":
          return { name: "view", input: { path: action.path, type: "file" } };
      }
    },
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
    // it continues a conversation on its screen only
    can: { resume: false, transcript: true },
  },
  {
    name: "kilo",
    packageName: "@kilocode/cli",
    version: "7.7.7",
    program: "node_modules/.bin/kilo",
    model: "mock-model",
    files: ({ url }) => ({ "kilo/kilo.json": opencodeSettings(url) }),
    env: () => ({
      KILO_DISABLE_AUTOUPDATE: "1",
      OPENCODE_DISABLE_AUTOUPDATE: "1",
      KILO_DISABLE_MODELS_FETCH: "1",
      OPENCODE_DISABLE_MODELS_FETCH: "1",
      KILO_DISABLE_LSP_DOWNLOAD: "1",
      KILO_DISABLE_DEFAULT_PLUGINS: "1",
      KILO_TELEMETRY_LEVEL: "off",
    }),
    args: ({ prompt, resume }) => [
      "run",
      "--format",
      "json",
      ...(resume === undefined ? [] : ["--session", resume]),
      prompt,
    ],
    calls: opencodeCalls,
    can: { resume: true, transcript: true },
  },
];

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
