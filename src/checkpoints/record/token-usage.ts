import { maxTokenDepth } from "./limits.ts";

/** Tokens of a session or checkpoint, those of its subagents included. */
export interface TokenUsage {
  readonly inputTokens: number;
  readonly cacheCreationTokens: number;
  readonly cacheReadTokens: number;
  readonly outputTokens: number;
  readonly apiCalls: number;
}

export const noTokens: TokenUsage = {
  inputTokens: 0,
  cacheCreationTokens: 0,
  cacheReadTokens: 0,
  outputTokens: 0,
  apiCalls: 0,
};

export function addTokens(a: TokenUsage, b: TokenUsage): TokenUsage {
  return {
    inputTokens: a.inputTokens + b.inputTokens,
    cacheCreationTokens: a.cacheCreationTokens + b.cacheCreationTokens,
    cacheReadTokens: a.cacheReadTokens + b.cacheReadTokens,
    outputTokens: a.outputTokens + b.outputTokens,
    apiCalls: a.apiCalls + b.apiCalls,
  };
}

/** Never below zero. */
export function restOfTokens(from: TokenUsage, tokens: TokenUsage): TokenUsage {
  const rest = (key: keyof TokenUsage) => Math.max(0, from[key] - tokens[key]);
  return {
    inputTokens: rest("inputTokens"),
    cacheCreationTokens: rest("cacheCreationTokens"),
    cacheReadTokens: rest("cacheReadTokens"),
    outputTokens: rest("outputTokens"),
    apiCalls: rest("apiCalls"),
  };
}

export function totalTokens(usage: TokenUsage): number {
  return usage.inputTokens + usage.cacheCreationTokens + usage.cacheReadTokens + usage.outputTokens;
}

/** Reads the stored form; nesting beyond the limit is not followed, whoever wrote it. */
export function parseTokenUsage(value: unknown): TokenUsage | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  let total = noTokens;
  let level: unknown = value;
  for (let depth = 0; depth < maxTokenDepth && typeof level === "object" && level !== null; depth += 1) {
    const fields = level as Record<string, unknown>;
    total = addTokens(total, {
      inputTokens: count(fields["input_tokens"]),
      cacheCreationTokens: count(fields["cache_creation_tokens"]),
      cacheReadTokens: count(fields["cache_read_tokens"]),
      outputTokens: count(fields["output_tokens"]),
      apiCalls: count(fields["api_call_count"]),
    });
    level = fields["subagent_tokens"];
  }
  return total;
}

function count(value: unknown): number {
  return typeof value === "number" && Number.isFinite(value) && value > 0 ? value : 0;
}
