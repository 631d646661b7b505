import type { AskContext } from "../workflows/ask/ask-context.ts";
import { listEarlierAttempts } from "../workflows/ask/earlier-attempts.ts";
import { BudgetedText, oneLine } from "./budget.ts";
import { budgetOf, optionalText, type ToolInput } from "./input.ts";

/** What was tried and not kept, the newest first. */
export async function answerTried(context: AskContext, input: ToolInput): Promise<string> {
  const path = optionalText(input, "path");
  const topic = optionalText(input, "topic");
  const filter = { ...(path === undefined ? {} : { path }), ...(topic === undefined ? {} : { topic }) };
  const attempts = await listEarlierAttempts(context, filter);
  if (attempts.length === 0) return "no earlier attempt is recorded that was not kept";
  const out = new BudgetedText(budgetOf(input));
  for (const [index, { id, at, by, prompt, files, outcome }] of attempts.entries()) {
    const text = [
      `${id}  ${at.slice(0, 10)}  ${oneLine(by, 40)}: "${oneLine(prompt, 200)}"`,
      `  ${oneLine(outcome, 300)}`,
      `  files: ${files
        .slice(0, 8)
        .map((file) => oneLine(file, 100))
        .join(", ")}${files.length > 8 ? `, and ${files.length - 8} more` : ""}`,
    ].join("\n");
    if (out.add(text)) continue;
    out.add(`(${attempts.length - index} more)`);
    break;
  }
  return out.text;
}
