/** How an agent reaches its model: from this machine, and from a place that must not see the key. */
export interface ModelEndpoint {
  /** Where the model is, as the user's own environment says. */
  readonly upstream: URL;
  /** The headers that carry the user's key. */
  readonly headers: Readonly<Record<string, string>>;
  /** What the agent needs to go to another address with a token. */
  readonly settings: (place: EndpointPlace) => EndpointSettings;
}

export interface EndpointPlace {
  /** `http://host:port`, without a path. */
  readonly origin: string;
  readonly token: string;
  /** Where it works: it is not asked whether it trusts that. */
  readonly directory: string;
}

export interface EndpointSettings {
  readonly env: Readonly<Record<string, string>>;
  /** By path from the home. */
  readonly files: Readonly<Record<string, string>>;
}

/**
 * What an agent is given where the processor is emulated. A hook there takes longer than it may elsewhere, and what it does not
 * finish is lost to the timeline. Code that Claude Code's runtime compiles as it goes costs an emulator more than it saves:
 * without it a first request takes half the time.
 */
export function emulationSettings(agent: string): Readonly<Record<string, string>> {
  const hooks = { KEYFRAME_HOOK_SECONDS: String(emulatedHookSeconds) };
  return agent === "claude" ? { ...hooks, BUN_JSC_useJIT: "0" } : hooks;
}

/** The time that the agent itself gives a hook, in seconds. */
export const emulatedHookSeconds = 600;

type ReadEndpoint = (env: NodeJS.ProcessEnv) => ModelEndpoint | undefined;

const endpoints: ReadonlyMap<string, ReadEndpoint> = new Map([
  ["claude", claudeEndpoint],
  ["codex", codexEndpoint],
]);

/** True for agents of which it is known how they are led to another endpoint. */
export function hasKnownEndpoint(agent: string): boolean {
  return endpoints.has(agent);
}

/** Undefined where the environment holds no key for the agent. */
export function findModelEndpoint(agent: string, env: NodeJS.ProcessEnv): ModelEndpoint | undefined {
  return endpoints.get(agent)?.(env);
}

function claudeEndpoint(env: NodeJS.ProcessEnv): ModelEndpoint | undefined {
  const upstream = urlOf(env["ANTHROPIC_BASE_URL"] || "https://api.anthropic.com");
  const bearer = env["ANTHROPIC_AUTH_TOKEN"];
  const key = env["ANTHROPIC_API_KEY"];
  const headers = bearer ? { authorization: `Bearer ${bearer}` } : key ? { "x-api-key": key } : undefined;
  if (upstream === undefined || headers === undefined) return undefined;
  return {
    upstream,
    headers,
    settings: ({ origin, token, directory }) => ({
      env: {
        ANTHROPIC_BASE_URL: origin + upstream.pathname.replace(/\/$/, ""),
        ANTHROPIC_AUTH_TOKEN: token,
        CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
        DISABLE_AUTOUPDATER: "1",
        // root of a machine that is its own
        IS_SANDBOX: "1",
      },
      files: {
        ".claude.json": `${JSON.stringify({
          hasCompletedOnboarding: true,
          projects: { [directory]: { hasTrustDialogAccepted: true } },
        })}\n`,
      },
    }),
  };
}

function codexEndpoint(env: NodeJS.ProcessEnv): ModelEndpoint | undefined {
  const upstream = urlOf(env["OPENAI_BASE_URL"] || "https://api.openai.com/v1");
  const key = env["OPENAI_API_KEY"] || env["CODEX_API_KEY"];
  if (upstream === undefined || !key) return undefined;
  return {
    upstream,
    headers: { authorization: `Bearer ${key}` },
    settings: ({ origin, token, directory }) => ({
      env: { KEYFRAME_MODEL_TOKEN: token },
      files: {
        ".codex/config.toml": [
          'model_provider = "keyframe"',
          "check_for_update_on_startup = false",
          "[model_providers.keyframe]",
          'name = "keyframe"',
          `base_url = ${JSON.stringify(origin + upstream.pathname.replace(/\/$/, ""))}`,
          'env_key = "KEYFRAME_MODEL_TOKEN"',
          'wire_api = "responses"',
          `[projects.${JSON.stringify(directory)}]`,
          'trust_level = "trusted"',
          "",
        ].join("\n"),
      },
    }),
  };
}

function urlOf(text: string): URL | undefined {
  try {
    const url = new URL(text);
    return url.protocol === "http:" || url.protocol === "https:" ? url : undefined;
  } catch {
    return undefined; // not an address
  }
}
