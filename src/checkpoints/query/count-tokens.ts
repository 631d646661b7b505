import { addTokens, noTokens, type TokenUsage } from "../record/token-usage.ts";
import type { ListedCheckpoint } from "./list-checkpoints.ts";

export type TokenGrouping = "agent" | "branch" | "author" | "month" | "session";

export interface TokenRow {
  /** "unknown" where the record does not say. */
  readonly name: string;
  readonly checkpoints: number;
  readonly tokens: TokenUsage;
}

/** Sums what checkpoints say they took; largest first. Several agents of one checkpoint share a row of both names. */
export async function countTokens(
  checkpoints: AsyncIterable<Omit<ListedCheckpoint, "prompt">>,
  by: TokenGrouping,
): Promise<TokenRow[]> {
  const rows = new Map<string, TokenRow>();
  for await (const checkpoint of checkpoints) {
    const name = nameOf(checkpoint, by);
    const row = rows.get(name) ?? { name, checkpoints: 0, tokens: noTokens };
    rows.set(name, {
      name,
      checkpoints: row.checkpoints + 1,
      tokens: addTokens(row.tokens, checkpoint.tokens),
    });
  }
  return [...rows.values()].sort(
    (a, b) => b.tokens.outputTokens - a.tokens.outputTokens || (a.name < b.name ? -1 : 1),
  );
}

function nameOf(
  { agents, branch, author, createdAt, sessionIds }: Omit<ListedCheckpoint, "prompt">,
  by: TokenGrouping,
): string {
  switch (by) {
    case "agent":
      return [...agents].sort().join(" + ") || "unknown";
    case "branch":
      return branch ?? "unknown";
    case "author":
      return author ?? "unknown";
    case "month":
      return createdAt?.slice(0, 7) ?? "unknown";
    case "session":
      return sessionIds.join(" + ") || "unknown";
  }
}
