import type { AssistantBlock, CompactLine, ToolResult, UserBlock } from "./compact-line.ts";

/** One assistant message, or a part of one: consecutive parts with the same id become one line. */
export interface AssistantPart {
  readonly ts: string | undefined;
  readonly id: string | undefined;
  /** Joins the open line, where there is one, and does not touch its time: for agents that give messages no id. */
  readonly continues?: boolean;
  /** The open line of the same id says what it says so far; this says all of it. */
  readonly replaces?: boolean;
  readonly inputTokens?: number | undefined;
  readonly outputTokens?: number | undefined;
  readonly content: readonly AssistantBlock[];
}

/**
 * Collects what a transcript says into compact lines. The last assistant line stays open, because more parts and the
 * results of its tools may follow.
 */
export interface CompactBuilder {
  user(ts: string | undefined, content: readonly UserBlock[]): void;
  assistant(part: AssistantPart): void;
  /** The result of a tool of the open assistant line; others are dropped. */
  result(toolUseId: string, result: ToolResult): void;
  /** Ends the open line, so that what follows starts another. */
  flush(): void;
}

export interface CompactState extends CompactBuilder {
  /** Lines completed since the last call, in order. */
  take(): CompactLine[];
  /** The line that may still grow. */
  open(): CompactLine | undefined;
  readonly completeLines: number;
  /** Parts of the open line; 0 without one. */
  readonly openParts: number;
  /** Parts that a line has had in the end, by its number. */
  partsOf(line: number): number;
}

interface OpenLine {
  readonly id: string | undefined;
  ts: string | undefined;
  inputTokens: number | undefined;
  outputTokens: number | undefined;
  readonly content: AssistantBlock[];
}

export function createCompactState(): CompactState {
  let done: CompactLine[] = [];
  let open: OpenLine | undefined;
  let openParts = 0;
  const parts: number[] = [];

  function add(line: CompactLine): void {
    done.push(line);
    parts.push(openParts);
  }
  function flush(): void {
    if (open !== undefined) add({ type: "assistant", ...open });
    open = undefined;
    openParts = 0;
  }
  return {
    user(ts, content) {
      flush();
      add({ type: "user", ts, content });
    },
    assistant(part) {
      const joins = open !== undefined && (part.continues ?? (part.id !== undefined && open.id === part.id));
      if (open === undefined || !joins) {
        flush();
        open = {
          id: part.id,
          ts: part.ts,
          inputTokens: part.inputTokens,
          outputTokens: part.outputTokens,
          content: [...part.content],
        };
        openParts = 1;
        return;
      }
      if (part.continues !== true) open.ts = part.ts ?? open.ts;
      open.inputTokens = part.inputTokens ?? open.inputTokens;
      open.outputTokens = part.outputTokens ?? open.outputTokens;
      if (part.replaces === true) open.content.length = 0;
      open.content.push(...part.content);
      openParts += 1;
    },
    result(toolUseId, result) {
      for (const block of open?.content ?? []) {
        if (block.type === "tool_use" && block.id === toolUseId) block.result = result;
      }
    },
    flush,
    take() {
      const lines = done;
      done = [];
      return lines;
    },
    open: () => (open === undefined ? undefined : { type: "assistant", ...open, content: [...open.content] }),
    get completeLines() {
      return parts.length;
    },
    get openParts() {
      return openParts;
    },
    partsOf: (line) => (line === parts.length ? openParts : (parts[line] ?? 0)),
  };
}
