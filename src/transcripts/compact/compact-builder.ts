import type { AssistantBlock, CompactLine, ToolResult, UserBlock } from "./compact-line.ts";

/** One assistant message, or a part of one: consecutive parts with the same id become one line. */
export interface AssistantPart {
  readonly ts: string | undefined;
  readonly id: string | undefined;
  /** Joins the open line, where there is one, and does not touch its time: for agents that give messages no id. */
  readonly continues?: boolean;
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
  /** Lines that are complete, in order; each is handed out once. */
  take(): CompactLine[];
  /** The line number (0-based) at which what comes next would appear: the open line's if it is continued. */
  position(): Position;
}

export interface Position {
  readonly complete: number;
  /** The open line at the time, to tell later whether it was continued. */
  readonly open: object | undefined;
  readonly openParts: number;
}

interface OpenLine {
  readonly id: string | undefined;
  ts: string | undefined;
  inputTokens: number | undefined;
  outputTokens: number | undefined;
  readonly content: AssistantBlock[];
  parts: number;
}

export function createCompactBuilder(): CompactBuilder & {
  /** The line number a position has become, now that what followed it is known. */
  resolve(position: Position): number;
} {
  let done: CompactLine[] = [];
  let complete = 0;
  let open: OpenLine | undefined;

  function add(line: CompactLine): void {
    done.push(line);
    complete += 1;
  }
  function flush(): void {
    if (open === undefined) return;
    const { parts: _, ...line } = open;
    add({ type: "assistant", ...line });
    open = undefined;
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
          parts: 1,
        };
        return;
      }
      if (part.continues !== true) open.ts = part.ts ?? open.ts;
      open.inputTokens = part.inputTokens ?? open.inputTokens;
      open.outputTokens = part.outputTokens ?? open.outputTokens;
      open.content.push(...part.content);
      open.parts += 1;
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
    position: () => ({ complete, open, openParts: open?.parts ?? 0 }),
    resolve(position) {
      const continued =
        position.open !== undefined && (position.open as OpenLine).parts > position.openParts;
      return position.complete + (position.open !== undefined && !continued ? 1 : 0);
    },
  };
}
