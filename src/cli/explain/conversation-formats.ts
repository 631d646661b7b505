import type { Explanation } from "../../checkpoints/query/explain.ts";
import { writerVersion } from "../../checkpoints/sessions/events.ts";
import { encodeTrajectory } from "../../transcripts/compact/atif.ts";
import type { CompactLine } from "../../transcripts/compact/compact-line.ts";
import { type BudgetPiece, fitBudget } from "../../transcripts/fit-budget.ts";
import { printableText } from "../output/terminal.ts";
import { formatConversationLine } from "./format.ts";

export type ExplainFormat = "text" | "md" | "json" | "atif";

export async function takeAll(lines: AsyncIterable<CompactLine>): Promise<CompactLine[]> {
  const all: CompactLine[] = [];
  for await (const line of lines) all.push(line);
  return all;
}

/** One ATIF document of the session that is shown. */
export function formatTrajectory(
  { sessions }: Explanation,
  { chosen, lines }: { readonly chosen: number; readonly lines: readonly CompactLine[] },
): object {
  const session = sessions[chosen];
  return encodeTrajectory(lines, {
    sessionId: session?.sessionId ?? "unknown",
    agent: session?.agent ?? "unknown",
    agentVersion: writerVersion,
    model: session?.model,
  });
}

/** The same as Markdown: a heading for each turn, tools as a list. */
export function* formatMarkdown(
  { id, createdAt, sessions, filesTouched }: Explanation,
  { chosen, lines }: { readonly chosen: number; readonly lines: readonly CompactLine[] },
): Generator<string> {
  const session = sessions[chosen];
  yield `# ${printableText(session?.summary?.intent ?? session?.title ?? id)}`;
  yield `\n- Checkpoint: \`${id}\`\n- Session: \`${session?.sessionId ?? "unknown"}\` (${printableText(session?.agent ?? "unknown agent")})\n- Created: ${session?.createdAt ?? createdAt ?? "unknown"}`;
  if (session?.agentSummary !== undefined) yield `- Agent's summary: ${printableText(session.agentSummary)}`;
  if (filesTouched.length > 0)
    yield `- Files: ${filesTouched.map((path) => `\`${printableText(path).replaceAll("`", "'")}\``).join(", ")}`;
  let speaker = "";
  for (const line of lines) {
    for (const text of formatConversationLine(line)) {
      const spoken = /^\n\[(User|Assistant)\] ([\s\S]*)$/.exec(text);
      const next = spoken?.[1] ?? speaker;
      if (next !== speaker) yield `\n## ${next}`;
      speaker = next;
      yield spoken === null ? `- ${text.replace(/^\[Tool\] /, "")}` : `\n${spoken[2] ?? ""}`;
    }
  }
}

/** The conversation as text that a reader with little room can take. */
export function formatWithin(lines: readonly CompactLine[], tokens: number): string[] {
  const pieces = lines.flatMap((line) =>
    [...formatConversationLine(line)].map(
      (text): BudgetPiece => ({
        text,
        kind: line.type === "user" ? "prompt" : text.startsWith("[Tool]") ? "tool" : "answer",
      }),
    ),
  );
  return fitBudget(pieces, tokens);
}
