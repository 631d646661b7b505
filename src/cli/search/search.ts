import { listSome } from "../../base/text/list-some.ts";
import { searchCheckpoints } from "../../checkpoints/query/search/search.ts";
import { openSearchIndex, searchFolder } from "../../checkpoints/query/search/search-index.ts";
import type { CliContext } from "../command/context.ts";
import { openReadableCheckpoints } from "../command/open-repository.ts";
import { settleFirst } from "../command/settle-first.ts";
import { localTime } from "../output/checkpoint-text.ts";
import { printable, printableText } from "../output/terminal.ts";

export interface SearchFlags {
  readonly limit: number;
  readonly json?: boolean;
}

/** Prints what was found, newest first, with what could not be searched. */
export async function search(
  this: CliContext,
  { limit, json }: SearchFlags,
  ...words: string[]
): Promise<void> {
  await settleFirst(this);
  const { git, stores } = openReadableCheckpoints(this);
  const index = this.trace.span("open index", () =>
    openSearchIndex(this.files, searchFolder(git.repository.commonDir)),
  );
  const { hits, unsearched } = await this.trace.span("search", () =>
    searchCheckpoints(git, stores, index, words),
  );
  if (json) return this.terminal.json({ total: hits.length, hits: hits.slice(0, limit), unsearched });
  for (const { id, createdAt, agent, kind, text } of hits.slice(0, limit)) {
    this.terminal.out(
      `${this.terminal.style("yellow", id)}  ${localTime(createdAt)}  ${printable(agent ?? "unknown agent")}  ${kind}`,
    );
    this.terminal.out(`    ${excerpt(text, words[0] ?? "", this.terminal.columns - 4)}`);
  }
  this.terminal.out(`${hits.length} found${hits.length > limit ? `, ${limit} shown` : ""}`);
  if (unsearched.length > 0) {
    const reasons = listSome([...new Set(unsearched.map(({ why }) => why))], 3);
    this.terminal.note(`! the transcripts of ${unsearched.length} sessions were not searched: ${reasons}`);
  }
}

/** The text around the first match, on one line. */
function excerpt(text: string, word: string, width: number): string {
  const flat = printableText(text).replace(/\s+/g, " ");
  const at = Math.max(0, flat.toLowerCase().indexOf(word.toLowerCase()));
  const start = Math.max(0, at - Math.floor(Math.max(20, width) / 3));
  return `${start > 0 ? "…" : ""}${flat.slice(start, start + Math.max(20, width) - 2)}`;
}
