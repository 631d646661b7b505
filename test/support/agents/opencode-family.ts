import { plainCalls } from "./plain-calls.ts";

/** Settings of OpenCode and its descendants. */
export function opencodeSettings(url: string, key: string): string {
  const options = { baseURL: `${url}/v1`, apiKey: key };
  const model = { name: "mock", tool_call: true, limit: { context: 128_000, output: 8000 } };
  return JSON.stringify({
    autoupdate: false,
    share: "disabled",
    model: "mock/mock-model",
    small_model: "mock/mock-model",
    enabled_providers: ["mock"],
    permission: { edit: "allow", bash: "allow", webfetch: "deny", external_directory: "allow" },
    agent: { plan: { permission: { edit: "deny", bash: "deny" } } },
    provider: {
      mock: { npm: "@ai-sdk/openai-compatible", name: "mock", options, models: { "mock-model": model } },
    },
  });
}

export const opencodeCalls = plainCalls({
  write: ["write", "filePath", "content"],
  edit: ["edit", "filePath", "oldString", "newString"],
  shell: ["bash", "command", { description: "run" }],
  read: ["read", "filePath"],
});

/** The words of a run without a screen. */
export function opencodeWords({
  prompt,
  resume,
}: {
  readonly prompt: string;
  readonly resume?: string | undefined;
}): readonly string[] {
  return ["run", "--format", "json", ...(resume === undefined ? [] : ["--session", resume]), prompt];
}
