/**
 * What has been learnt from a transcript so far, line by line. Plain JSON: it is stored and taken up again, so that a
 * transcript that has grown costs its tail.
 */
export interface TranscriptFacts {
  /** Lines so far, an unterminated last one included. */
  lines: number;
  readonly prompts: { readonly line: number; readonly text: string }[];
  readonly tasks: SubagentTask[];
  /** Absolute or relative paths that edit tools named, each once. */
  readonly editedPaths: string[];
  model: string | undefined;
  /** What the agent itself calls the conversation, or what the user has it called; the last word counts. */
  summary?: string;
  /** True while the last word is not the agent's: its turn goes on, or its end is not written yet. */
  open: boolean;
  /** Of all lines so far. */
  tokens: TranscriptTokens;
  /** Messages that may still grow: an agent writes the same one several times, each with its tokens so far. */
  readonly openMessages: { readonly id: string; readonly tokens: TranscriptTokens }[];
  /** The last sum that the agent itself told, for agents that tell sums only. */
  cumulative?: TranscriptTokens;
}

export interface TranscriptTokens {
  readonly input: number;
  readonly cacheCreation: number;
  readonly cacheRead: number;
  readonly output: number;
  readonly calls: number;
}

/** Work that was given to a subagent by a tool call. */
export interface SubagentTask {
  /** The line of the call. */
  readonly line: number;
  readonly toolUseId: string;
  readonly type: string | undefined;
  readonly description: string | undefined;
  readonly startedAt: string | undefined;
  /** Known once the call has answered. */
  agentId: string | undefined;
  completedAt: string | undefined;
}

/** Of each kind at most this many, the newest: a hostile transcript must not make the record grow without end. */
export const maxScanned = 2000;

export const noTranscriptTokens: TranscriptTokens = {
  input: 0,
  cacheCreation: 0,
  cacheRead: 0,
  output: 0,
  calls: 0,
};

export function emptyFacts(): TranscriptFacts {
  return {
    lines: 0,
    prompts: [],
    tasks: [],
    editedPaths: [],
    model: undefined,
    open: false,
    tokens: noTranscriptTokens,
    openMessages: [],
  };
}

/** Reads and writes, cached ones included. */
export function allTokens({ input, output, cacheRead, cacheCreation }: TranscriptTokens): number {
  return input + output + cacheRead + cacheCreation;
}

/** Field by field; never below 0. */
export function subtractTokens(a: TranscriptTokens, b: TranscriptTokens): TranscriptTokens {
  const less = (x: number, y: number) => Math.max(0, x - y);
  return {
    input: less(a.input, b.input),
    cacheCreation: less(a.cacheCreation, b.cacheCreation),
    cacheRead: less(a.cacheRead, b.cacheRead),
    output: less(a.output, b.output),
    calls: less(a.calls, b.calls),
  };
}

export function addTranscriptTokens(a: TranscriptTokens, b: TranscriptTokens): TranscriptTokens {
  return {
    input: a.input + b.input,
    cacheCreation: a.cacheCreation + b.cacheCreation,
    cacheRead: a.cacheRead + b.cacheRead,
    output: a.output + b.output,
    calls: a.calls + b.calls,
  };
}
