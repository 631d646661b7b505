import { listSome } from "../../base/text/list-some.ts";
import { type IndexProgress, searchCheckpoints } from "../../checkpoints/query/search/search.ts";
import { openSearchIndex, searchFolder } from "../../checkpoints/query/search/search-index.ts";
import { listTriedLanes } from "../../workflows/ask/earlier-attempts.ts";
import type { CliContext } from "../command/context.ts";
import { openReadableCheckpoints } from "../command/open-repository.ts";
import { settleFirst } from "../command/settle-first.ts";
import { describeAttempt } from "../output/attempt-text.ts";
import { localTime } from "../output/checkpoint-text.ts";
import { startProgress } from "../output/progress.ts";
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
  const { onProgress, finish } = showIndexing(this);
  const { hits, unsearched } = await this.trace
    .span("search", () => searchCheckpoints(git, stores, index, { words, onProgress }))
    .finally(finish);
  const tried = listTriedLanes({ git, files: this.files }, { topic: words.join(" ") }).slice(0, limit);
  if (json) return this.terminal.json({ total: hits.length, hits: hits.slice(0, limit), unsearched, tried });
  for (const { id, createdAt, agent, kind, text } of hits.slice(0, limit)) {
    this.terminal.out(
      `${this.terminal.style("yellow", id)}  ${localTime(createdAt)}  ${printable(agent ?? "unknown agent")}  ${kind}`,
    );
    this.terminal.out(`    ${excerpt(text, words[0] ?? "", this.terminal.columns - 4)}`);
  }
  for (const attempt of tried) this.terminal.out(describeAttempt(attempt));
  this.terminal.out(`${hits.length} found${hits.length > limit ? `, ${limit} shown` : ""}`);
  if (unsearched.length > 0) {
    const reasons = listSome([...new Set(unsearched.map(({ why }) => why))], 3);
    this.terminal.note(`! the transcripts of ${unsearched.length} sessions were not searched: ${reasons}`);
  }
}

/** From so many conversations on, what indexes them says so where no bar can be drawn. */
const manyConversations = 100;

/** A bar on a terminal; elsewhere one line, where it may take long. */
function showIndexing(context: CliContext): {
  readonly onProgress: IndexProgress;
  readonly finish: () => void;
} {
  const { clock, terminal } = context;
  const { stderr } = context.process;
  const bar = startProgress({ label: "indexing conversations", unit: "items", stream: stderr, clock });
  let isSaid = stderr.isTTY === true;
  return {
    onProgress(done, total) {
      bar.update(done, total);
      if (!isSaid && total >= manyConversations) terminal.note(`indexing ${total} conversations ...`);
      isSaid = true;
    },
    finish: () => bar.finish(),
  };
}

/** The text around the first match, on one line. */
function excerpt(text: string, word: string, width: number): string {
  const flat = printableText(text).replace(/\s+/g, " ");
  const at = Math.max(0, flat.toLowerCase().indexOf(word.toLowerCase()));
  const start = Math.max(0, at - Math.floor(Math.max(20, width) / 3));
  return `${start > 0 ? "…" : ""}${flat.slice(start, start + Math.max(20, width) - 2)}`;
}
