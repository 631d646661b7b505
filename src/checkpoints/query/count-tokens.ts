import { addTokens, noTokens, restOfTokens, type TokenUsage } from "../record/token-usage.ts";
import type { ListedCheckpoint } from "./list-checkpoints.ts";

export type TokenGrouping = "agent" | "branch" | "author" | "month" | "session";

export interface TokenRow {
  /** "unknown" where the record does not say. */
  readonly name: string;
  readonly checkpoints: number;
  readonly tokens: TokenUsage;
}

type Counted = Omit<ListedCheckpoint, "prompt">;

/**
 * Sums what checkpoints took; largest first. Several agents of one checkpoint share a row of both names. Where records of a
 * session hold its tokens so far, as earlier versions wrote them, each counts for what it adds.
 */
export async function countTokens(
  checkpoints: AsyncIterable<Counted>,
  by: TokenGrouping,
): Promise<TokenRow[]> {
  const all: Counted[] = [];
  for await (const checkpoint of checkpoints) all.push(checkpoint);
  const repeated = repeatedTokens(all);
  const rows = new Map<string, TokenRow>();
  for (const checkpoint of all) {
    const name = nameOf(checkpoint, by);
    const row = rows.get(name) ?? { name, checkpoints: 0, tokens: noTokens };
    const own = restOfTokens(checkpoint.tokens, repeated.get(checkpoint) ?? noTokens);
    rows.set(name, { name, checkpoints: row.checkpoints + 1, tokens: addTokens(row.tokens, own) });
  }
  return [...rows.values()].sort(
    (a, b) => b.tokens.outputTokens - a.tokens.outputTokens || (a.name < b.name ? -1 : 1),
  );
}

/** Of each checkpoint those tokens that an earlier one of the same session has counted. */
function repeatedTokens(checkpoints: readonly Counted[]): Map<Counted, TokenUsage> {
  const bySession = new Map<string, { readonly checkpoint: Counted; readonly tokens: TokenUsage }[]>();
  const oldestFirst = [...checkpoints].sort((a, b) => dateOf(a) - dateOf(b));
  for (const checkpoint of oldestFirst) {
    for (const { sessionId, tokens, isOwn } of checkpoint.usages) {
      if (isOwn) continue;
      bySession.set(sessionId, [...(bySession.get(sessionId) ?? []), { checkpoint, tokens }]);
    }
  }
  const repeated = new Map<Counted, TokenUsage>();
  for (const records of bySession.values()) {
    // what only ever grows, in every part, is a total; what is smaller once was counted anew each time
    const grows = records.every((record, index) => {
      const before = records[index - 1];
      return before === undefined || isWithin(before.tokens, record.tokens);
    });
    if (!grows) continue;
    records.forEach(({ checkpoint }, index) => {
      const before = records[index - 1];
      if (before !== undefined)
        repeated.set(checkpoint, addTokens(repeated.get(checkpoint) ?? noTokens, before.tokens));
    });
  }
  return repeated;
}

function isWithin(part: TokenUsage, whole: TokenUsage): boolean {
  return (Object.keys(noTokens) as (keyof TokenUsage)[]).every((key) => part[key] <= whole[key]);
}

function dateOf({ createdAt }: Counted): number {
  return Date.parse(createdAt ?? "") || 0;
}

function nameOf({ agents, branch, author, createdAt, sessionIds }: Counted, by: TokenGrouping): string {
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
