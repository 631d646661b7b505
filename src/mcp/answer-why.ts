import type { AskContext } from "../workflows/ask/ask-context.ts";
import { type OwnedLine, readFileOwners } from "../workflows/ask/file-owners.ts";
import { linkedCheckpoints } from "../workflows/ask/linked-checkpoints.ts";
import { BudgetedText, oneLine } from "./budget.ts";
import { budgetOf, mustText, optionalCount, optionalText, type ToolInput } from "./input.ts";

const defaultLines = 40;

/** Runs of lines with one owner and commit, each with the prompt that led there and the id to open. */
export async function answerWhy(context: AskContext, input: ToolInput): Promise<string> {
  const path = mustText(input, "path");
  const revision = optionalText(input, "revision");
  const first = Math.max(1, optionalCount(input, "first") ?? 1);
  const last = Math.max(first, optionalCount(input, "last") ?? first + defaultLines);
  const lines = await readOwners(context, {
    path,
    first,
    last,
    ...(revision === undefined ? {} : { revision }),
  });
  const out = new BudgetedText(budgetOf(input));
  for (const run of runsOf(lines)) {
    const [head] = run;
    if (head === undefined) continue;
    const until = run.at(-1)?.line ?? head.line;
    const range = head.line === until ? `line ${head.line}` : `lines ${head.line}-${until}`;
    const links = head.commit === undefined ? [] : await linkedCheckpoints(context, head.commit);
    const parts = [
      `${path}:${range}: ${describeOwner(head)}`,
      describeCommit(head),
      ...(head.owner?.prompt === undefined ? [] : [`prompt: "${oneLine(head.owner.prompt, 300)}"`]),
      ...(links.length === 0 ? [] : [`open: ${links.slice(0, 3).join(", ")}`]),
    ];
    if (!out.add(parts.join("\n  "))) {
      out.add(`(cut: ask again with first=${head.line})`);
      break;
    }
  }
  return out.text;
}

/** The end of the range may lie behind the end of the file. */
async function readOwners(
  context: AskContext,
  {
    path,
    first,
    last,
    revision,
  }: { readonly path: string; readonly first: number; readonly last: number; readonly revision?: string },
): Promise<OwnedLine[]> {
  const where = { path, ...(revision === undefined ? {} : { revision }) };
  try {
    return await readFileOwners(context, { ...where, range: { first, last } });
  } catch (error) {
    if (!(error instanceof Error && /has only (\d+) lines?/.test(error.message))) throw error;
    const count = Number(/has only (\d+) lines?/.exec(error.message)?.[1] ?? 0);
    if (first > count) throw error;
    return readFileOwners(context, { ...where, range: { first, last: count } });
  }
}

function runsOf(lines: readonly OwnedLine[]): OwnedLine[][] {
  const runs: OwnedLine[][] = [];
  for (const line of lines) {
    const before = runs.at(-1)?.at(-1);
    const same =
      before !== undefined &&
      before.commit === line.commit &&
      before.owner?.name === line.owner?.name &&
      before.owner?.session === line.owner?.session &&
      before.owner?.prompt === line.owner?.prompt;
    if (same) runs.at(-1)?.push(line);
    else runs.push([line]);
  }
  return runs;
}

function describeOwner({ owner }: OwnedLine): string {
  if (owner === undefined) return "owner unknown";
  const session = owner.session === undefined ? "" : `, session ${oneLine(owner.session, 80)}`;
  return `${owner.kind === "agent" ? "agent" : "person"} ${oneLine(owner.name, 120)}${session}`;
}

function describeCommit({ commit, author, time, subject }: OwnedLine): string {
  if (commit === undefined) return "not committed yet";
  const date = new Date(time * 1000).toISOString().slice(0, 10);
  return `commit ${commit.slice(0, 12)} of ${date} by ${oneLine(author, 60)}: ${oneLine(subject, 120)}`;
}
