import { KeyframeError } from "../../base/errors.ts";
import { cleanJson } from "../../base/text/clean-text.ts";
import { type ListedCheckpoint, listCheckpoints } from "../../checkpoints/query/list-checkpoints.ts";
import type { CliContext } from "../command/context.ts";
import { openReadableCheckpoints } from "../command/open-repository.ts";
import { settleFirst } from "../command/settle-first.ts";
import { firstLine, localTime } from "../output/checkpoint-text.ts";
import { printable } from "../output/terminal.ts";

export interface ListFlags {
  readonly branch?: string;
  readonly author?: string;
  readonly agent?: string;
  readonly session?: string;
  readonly file?: string;
  readonly text?: string;
  readonly since?: string;
  readonly until?: string;
  readonly limit?: number;
  readonly json?: boolean;
}

/** Prints each checkpoint as soon as it is known. */
export async function list(this: CliContext, { json, limit, ...filter }: ListFlags): Promise<void> {
  checkDates(filter);
  if (limit !== undefined && !(Number.isInteger(limit) && limit > 0)) {
    throw new KeyframeError("usage", "--limit wants a positive number");
  }
  await settleFirst(this);
  const { git, stores } = openReadableCheckpoints(this);
  const request = { filter, withAuthors: json === true, ...(limit === undefined ? {} : { limit }) };
  let count = 0;
  if (json) this.process.stdout.write("[");
  await this.trace.span("checkpoints", async () => {
    for await (const checkpoint of listCheckpoints(git, stores, request)) {
      if (json)
        this.process.stdout.write(`${count === 0 ? "" : ","}\n${cleanJson(JSON.stringify(checkpoint))}`);
      else this.terminal.out(describe(this, checkpoint));
      count += 1;
    }
  });
  if (json) this.process.stdout.write("\n]\n");
  else if (count === 0) this.terminal.note("no checkpoints found; `keyframe fetch` gets those of others");
}

function describe({ terminal }: CliContext, checkpoint: ListedCheckpoint): string {
  const { id, createdAt, branch, agents, filesTouched, title, unread } = checkpoint;
  const facts = [
    localTime(createdAt),
    printable(agents.join(", ")) || "unknown agent",
    printable(branch ?? "no branch"),
  ];
  facts.push(`${filesTouched.length} ${filesTouched.length === 1 ? "file" : "files"}`);
  const head = `${terminal.style("yellow", id)}  ${facts.join("  ")}`;
  const said =
    title === undefined ? "(no prompt recorded)" : firstLine(title, Math.max(20, terminal.columns - 4));
  return [head, `    ${said}`, ...unread.map((what) => `    ! ${what}`)].join("\n");
}

function checkDates({ since, until }: Pick<ListFlags, "since" | "until">): void {
  for (const date of [since, until]) {
    if (date !== undefined && Number.isNaN(Date.parse(date))) {
      throw new KeyframeError("usage", `not a date: ${date}`, { hint: "write it as 2026-01-31" });
    }
  }
}
