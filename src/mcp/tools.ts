import { isKeyframeError } from "../base/errors.ts";
import type { AskContext } from "../workflows/ask/ask-context.ts";
import { answerOpen } from "./answer-open.ts";
import { answerSearch } from "./answer-search.ts";
import { answerTried } from "./answer-tried.ts";
import { answerWhy } from "./answer-why.ts";
import { defaultBudget } from "./budget.ts";
import type { ToolInput } from "./input.ts";

export interface ToolAnswer {
  readonly content: readonly [{ readonly type: "text"; readonly text: string }];
  readonly isError?: true;
}

const budget = { type: "integer", description: `most tokens to answer with (default: ${defaultBudget})` };
const readOnly = { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false };

/** As `tools/list` shows them: few, read-only, and short, because a client pays for them in every conversation. */
export const tools = [
  {
    name: "why",
    description:
      "Who wrote these lines of a file, in which commit and session, and the prompt that led there.",
    inputSchema: {
      type: "object",
      properties: {
        path: { type: "string", description: "path from the top of the repository" },
        first: { type: "integer", description: "first line, 1-based (default: 1)" },
        last: { type: "integer", description: "last line (default: first + 40)" },
        revision: { type: "string", description: "revision of git (default: the file as it is)" },
        budget,
      },
      required: ["path"],
    },
    annotations: readOnly,
  },
  {
    name: "search",
    description: "Finds prompts and conversations that hold all these words. Returns ids for `open`.",
    inputSchema: {
      type: "object",
      properties: {
        text: { type: "string", description: "words" },
        since: { type: "string", description: "ISO date; nothing older" },
        budget,
      },
      required: ["text"],
    },
    annotations: readOnly,
  },
  {
    name: "open",
    description:
      "A conversation (checkpoint id or commit), a turn or mark (moment id), or a race (race:<id>), in pieces.",
    inputSchema: {
      type: "object",
      properties: {
        id: { type: "string" },
        from: { type: "integer", description: "entry to continue from, as the last reply said (default: 0)" },
        budget,
      },
      required: ["id"],
    },
    annotations: readOnly,
  },
  {
    name: "tried",
    description:
      "Attempts on a path or topic that were not kept: lanes of races, undone turns; how each went.",
    inputSchema: {
      type: "object",
      properties: {
        path: { type: "string", description: "file or directory" },
        topic: { type: "string", description: "words of the prompt" },
        budget,
      },
    },
    annotations: readOnly,
  },
] as const;

const answers: Readonly<Record<string, (context: AskContext, input: ToolInput) => Promise<string>>> = {
  why: answerWhy,
  search: answerSearch,
  open: answerOpen,
  tried: answerTried,
};

/** Undefined: there is no such tool. A question that cannot be answered is an answer that says why. */
export async function callTool(
  context: AskContext,
  name: string,
  input: ToolInput,
): Promise<ToolAnswer | undefined> {
  const answer = Object.hasOwn(answers, name) ? answers[name] : undefined;
  if (answer === undefined) return undefined;
  try {
    return { content: [{ type: "text", text: await answer(context, input) }] };
  } catch (error) {
    const hint = isKeyframeError(error) && error.hint !== undefined ? `\n${error.hint}` : "";
    const text = `${error instanceof Error ? error.message : String(error)}${hint}`;
    return { content: [{ type: "text", text }], isError: true };
  }
}
