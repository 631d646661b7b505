import { encodeJsonLine } from "../../base/json-document.ts";

/** One line of a compact transcript (docs/formats/checkpoints-v2.md). */
export type CompactLine =
  | { readonly type: "user"; readonly ts: string | undefined; readonly content: readonly UserBlock[] }
  | {
      readonly type: "assistant";
      readonly ts: string | undefined;
      readonly id: string | undefined;
      readonly inputTokens: number | undefined;
      readonly outputTokens: number | undefined;
      readonly content: readonly AssistantBlock[];
    };

/** Text of the user, with the id of the prompt where the agent gives one; or an image as the source has it. */
export type UserBlock = { readonly id?: string; readonly text: string } | { readonly [key: string]: unknown };

export type AssistantBlock =
  | { readonly text: string; readonly type: "text" }
  | {
      readonly id?: string;
      readonly input?: unknown;
      readonly name?: string;
      result?: ToolResult;
      readonly type: "tool_use";
    };

export interface ToolResult {
  readonly output?: string;
  readonly status: "success" | "error";
  readonly file?: { readonly filePath: string; readonly numLines?: number };
  readonly matchCount?: number;
}

export interface CompactOrigin {
  /** Registry name: `claude-code`, `codex`, ... */
  readonly agent: string;
  readonly cliVersion: string;
}

/** One line with its newline. Key order is part of the format. */
export function encodeCompactLine(line: CompactLine, origin: CompactOrigin): string {
  const common = { v: 1, agent: origin.agent, cli_version: origin.cliVersion, type: line.type, ts: line.ts };
  const own =
    line.type === "user"
      ? { content: line.content }
      : {
          id: line.id,
          // a writer of the format omits what is zero
          input_tokens: line.inputTokens === 0 ? undefined : line.inputTokens,
          output_tokens: line.outputTokens === 0 ? undefined : line.outputTokens,
          content: line.content.map(orderBlock),
        };
  return `${encodeJsonLine({ ...common, ...own })}\n`;
}

function orderBlock(block: AssistantBlock): AssistantBlock {
  if (block.type === "text") return { text: block.text, type: "text" };
  const { id, input, name, result, type } = block;
  return {
    ...(id === undefined ? {} : { id }),
    ...(input === undefined ? {} : { input }),
    ...(name === undefined ? {} : { name }),
    ...(result === undefined ? {} : { result }),
    type,
  };
}
