import { existsSync } from "node:fs";
import { join } from "node:path";
import { opencodeCalls, opencodeSettings, opencodeWords } from "./opencode-family.ts";
import { plainCalls } from "./plain-calls.ts";
import type { RealAgent } from "./real-agent.ts";

const key = "not-a-key";

/** Real programs that run the conformance suite by a command of their own. */
export const moreRealAgents: readonly RealAgent[] = [
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
    args: ({ prompt, resume, cwd }) => [
      "--model",
      "gemini-2.5-flash",
      // it writes nowhere else, and says so of those that are not there
      ...placesBeside(cwd).flatMap((place) => ["--include-directories", place]),
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
    limits: { "newline in a path": "it writes no such file" },
    can: { resume: true, transcript: true, quotedPaths: false },
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
            input: { command: action.command, wait: true, max_wait_seconds: 90, cwd },
          };
        case "read":
          return { name: "view", input: { path: action.path, type: "file" } };
      }
    },
    can: { resume: true, transcript: true },
  },
  {
    name: "kilo",
    packageName: "@kilocode/cli",
    version: "7.7.7",
    program: "node_modules/.bin/kilo",
    model: "mock-model",
    files: ({ url }) => ({ "kilo/kilo.json": opencodeSettings(url, key) }),
    env: () => ({
      KILO_DISABLE_AUTOUPDATE: "1",
      OPENCODE_DISABLE_AUTOUPDATE: "1",
      KILO_DISABLE_MODELS_FETCH: "1",
      OPENCODE_DISABLE_MODELS_FETCH: "1",
      KILO_DISABLE_LSP_DOWNLOAD: "1",
      KILO_DISABLE_DEFAULT_PLUGINS: "1",
      KILO_TELEMETRY_LEVEL: "off",
    }),
    args: opencodeWords,
    calls: opencodeCalls,
    can: { resume: true, transcript: true },
  },
];

/** The other places of the suite, where they are there by now. */
function placesBeside(cwd: string): readonly string[] {
  return ["linked", "second"].map((name) => join(cwd, "..", name)).filter(existsSync);
}
