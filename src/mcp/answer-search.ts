import { searchCheckpoints } from "../checkpoints/query/search/search.ts";
import { openSearchIndex, searchFolder } from "../checkpoints/query/search/search-index.ts";
import type { AskContext } from "../workflows/ask/ask-context.ts";
import { BudgetedText, oneLine } from "./budget.ts";
import { budgetOf, mustText, optionalText, type ToolInput } from "./input.ts";

const maxHits = 8;
const snippetLength = 240;

/** The newest hits, one snippet each. */
export async function answerSearch({ git, stores, files }: AskContext, input: ToolInput): Promise<string> {
  const words = mustText(input, "text").split(/\s+/).filter(Boolean);
  const since = optionalText(input, "since") ?? "";
  const index = openSearchIndex(files, searchFolder(git.repository.commonDir));
  const { hits } = await searchCheckpoints(git, stores, index, { words });
  const wanted = hits.filter(({ createdAt }) => since === "" || (createdAt ?? "") >= since);
  const out = new BudgetedText(budgetOf(input));
  if (wanted.length === 0)
    return `nothing holds all of: ${words.map((word) => oneLine(word, 40)).join(", ")}`;
  for (const { id, createdAt, agent, kind, text } of wanted.slice(0, maxHits)) {
    const head = `${id}  ${(createdAt ?? "unknown date").slice(0, 10)}  ${oneLine(agent ?? "unknown agent", 40)}  ${kind}`;
    if (!out.add(`${head}\n  "${snippet(text, words[0] ?? "")}"`)) break;
  }
  if (wanted.length > maxHits) out.add(`(${wanted.length} in all, the newest ${maxHits} shown)`);
  return out.text;
}

function snippet(text: string, word: string): string {
  const flat = oneLine(text, 1_000_000);
  const at = Math.max(0, flat.toLowerCase().indexOf(word.toLowerCase()));
  const from = Math.max(0, at - snippetLength / 3);
  return `${from > 0 ? "…" : ""}${oneLine(flat.slice(from), snippetLength)}`;
}
