import { countTokens, type TokenGrouping } from "../../checkpoints/query/count-tokens.ts";
import { listCheckpoints } from "../../checkpoints/query/list-checkpoints.ts";
import type { CliContext } from "../command/context.ts";
import { openReadableCheckpoints } from "../command/open-repository.ts";
import { settleFirst } from "../command/settle-first.ts";
import { formatTable, printable } from "../output/terminal.ts";

export interface TokensFlags {
  readonly by: TokenGrouping;
  readonly since?: string;
  readonly until?: string;
  readonly json?: boolean;
}

/** Prints one row a group. */
export async function tokens(this: CliContext, { by, json, ...filter }: TokensFlags): Promise<void> {
  await settleFirst(this);
  const { git, stores } = openReadableCheckpoints(this);
  const rows = await this.trace.span("checkpoints", () =>
    countTokens(listCheckpoints(git, stores, { filter, withAuthors: by === "author" }), by),
  );
  if (json) return this.terminal.json(rows);
  const number = (count: number) => String(count).replace(/\B(?=(\d{3})+$)/g, ",");
  const table = rows.map((row) => [
    printable(row.name),
    number(row.checkpoints),
    ...[
      row.tokens.inputTokens,
      row.tokens.cacheReadTokens,
      row.tokens.cacheCreationTokens,
      row.tokens.outputTokens,
    ].map(number),
  ]);
  const right = { align: "right" } as const;
  this.terminal.out(
    formatTable(
      [[by, "checkpoints", "input", "cache read", "cache written", "output"], ...table],
      [{}, right, right, right, right, right],
    ),
  );
}
