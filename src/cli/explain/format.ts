import type { ExplainedSession, Explanation } from "../../checkpoints/query/explain.ts";
import type { ExplainedLineOwner } from "../../checkpoints/query/line-owner.ts";
import { totalTokens } from "../../checkpoints/record/token-usage.ts";
import type { AssistantBlock, CompactLine } from "../../transcripts/compact/compact-line.ts";
import { firstLine, localTime } from "../output/checkpoint-text.ts";
import { printable, printableText } from "../output/terminal.ts";

interface FormatOptions {
  /** Index of the session that is shown. */
  readonly chosen: number;
  readonly short: boolean;
  readonly owner: ExplainedLineOwner | undefined;
}

const maxShownFiles = 200;

/** The head of an explanation; pure. The order of its lines is a contract that scripts rely on. */
export function formatExplanation(explanation: Explanation, { chosen, short, owner }: FormatOptions): string {
  const session = explanation.sessions[chosen];
  const lines = [
    `Checkpoint: ${explanation.id}`,
    `Session: ${printable(session?.sessionId ?? "(unknown)")}${others(explanation, chosen)}`,
    `Created: ${localTime(session?.createdAt ?? explanation.createdAt)}`,
    `Author: ${printable(explanation.author ?? "(unknown)")}`,
    `Tokens: ${tokensOf(explanation, session)}`,
    "",
    `Commits: (${explanation.commits.length})`,
    ...explanation.commits.map(
      ({ shortOid, date, subject }) => `  ${shortOid} ${date.slice(0, 10)} ${printable(subject)}`,
    ),
    "",
    ...(owner?.prompt === undefined ? [] : [`Prompt of this line: ${firstLine(owner.prompt, 200)}`]),
    `Intent: ${printable(session?.summary?.intent ?? firstLine(session?.title, 100)) || "(no prompt recorded)"}`,
    `Outcome: ${printable(session?.summary?.outcome ?? "(not generated)")}`,
    ...(session?.agentSummary === undefined
      ? []
      : [`Agent's summary: ${firstLine(session.agentSummary, 200)}`]),
    ...formatSummary(session),
    ...[...explanation.unread, ...(session?.unread ?? [])].map((what) => `! ${what}`),
  ];
  if (short) return lines.join("\n");
  const files = explanation.filesTouched;
  lines.push(
    "",
    `Files: (${files.length})`,
    ...files.slice(0, maxShownFiles).map((path) => `  - ${printable(path)}`),
  );
  if (files.length > maxShownFiles) lines.push(`  … and ${files.length - maxShownFiles} more`);
  return lines.join("\n");
}

/** Those of the session above, and of all where there are several. */
function tokensOf({ tokens, sessions }: Explanation, session: ExplainedSession | undefined): string {
  if (sessions.length < 2 || session?.tokens === undefined) return String(totalTokens(tokens));
  return `${totalTokens(session.tokens)} (all sessions: ${totalTokens(tokens)})`;
}

function others({ sessions }: Explanation, chosen: number): string {
  return sessions.length < 2
    ? ""
    : ` (${chosen + 1} of ${sessions.length}; the others with --session <number>)`;
}

function formatSummary(session: ExplainedSession | undefined): string[] {
  const summary = session?.summary;
  if (summary === undefined) return [];
  const section = (title: string, items: readonly string[]) =>
    items.length === 0 ? [] : [title, ...items.map((item) => `  - ${printable(item)}`)];
  return [
    "",
    "Learnings:",
    ...section("Repository:", summary.repoLearnings),
    ...section(
      "Code:",
      summary.codeLearnings.map(
        ({ path, line, finding }) => `${path}${line === undefined ? "" : `:${line}`}: ${finding}`,
      ),
    ),
    ...section("Workflow:", summary.workflowLearnings),
    ...section("Friction:", summary.friction),
    ...section("Open Items:", summary.openItems),
  ];
}

/** One compact line as text; tools on one line each. */
export function* formatConversationLine(line: CompactLine): Generator<string> {
  if (line.type === "user") {
    for (const block of line.content) {
      const text = "text" in block && typeof block["text"] === "string" ? block["text"] : "(image)";
      if (text !== "") yield `\n[User] ${printableText(text)}`;
    }
    return;
  }
  for (const block of line.content) {
    yield block.type === "text"
      ? `\n[Assistant] ${printableText(block.text)}`
      : `[Tool] ${formatTool(block)}`;
  }
}

function formatTool({ name, input, result }: Extract<AssistantBlock, { type: "tool_use" }>): string {
  const fields = typeof input === "object" && input !== null ? (input as Record<string, unknown>) : {};
  const subject = ["file_path", "path", "command", "cmd", "pattern", "query", "description"]
    .map((key) => fields[key])
    .find((value) => typeof value === "string");
  const failed = result?.status === "error" ? " (failed)" : "";
  return `${printable(name ?? "tool")}${subject === undefined ? "" : `: ${firstLine(String(subject), 120)}`}${failed}`;
}
