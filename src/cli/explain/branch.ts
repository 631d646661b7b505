import {
  type LinkedCommit,
  linksByCheckpoint,
  readLinkedCommits,
} from "../../checkpoints/query/linked-commits.ts";
import {
  listCheckpointPlaces,
  type ReadSession,
  readCheckpoints,
  readPrompts,
} from "../../checkpoints/query/read-checkpoints.ts";
import { findPredecessors, predecessorKey, promptsInScope } from "../../checkpoints/query/scope-prompts.ts";
import type { CheckpointId } from "../../checkpoints/record/ids.ts";
import type { CheckpointStores } from "../../checkpoints/stores/open-stores.ts";
import type { Git } from "../../git/git.ts";
import { titleOf } from "../../transcripts/scan/title.ts";
import type { CliContext } from "../command/context.ts";
import { firstLine } from "../output/checkpoint-text.ts";
import { printable } from "../output/terminal.ts";

const maxCommits = 500;

interface BranchView {
  readonly git: Git;
  readonly stores: CheckpointStores;
  readonly json: boolean;
}

/** The checkpoints that the commits of HEAD name, newest first; works on a detached HEAD. */
export async function explainBranch(context: CliContext, { git, stores, json }: BranchView): Promise<void> {
  const branch = (
    await git.run(["symbolic-ref", "--quiet", "--short", "HEAD"], { okCodes: [0, 1, 128] })
  ).stdout
    .toString("utf8")
    .trim();
  const links = linksByCheckpoint(await readLinkedCommits(git, { revisions: ["HEAD"], limit: maxCommits }));
  const prompts = await readFirstPrompts(git, stores, links);
  const name = branch === "" ? "(detached HEAD)" : branch;
  if (json) {
    return context.terminal.json({
      branch: branch === "" ? null : branch,
      checkpoints: [...links].map(([id, commits]) => ({
        id,
        stored: prompts.has(id),
        prompt: prompts.get(id) ?? null,
        commits,
      })),
    });
  }
  context.terminal.out(`Branch: ${printable(name)}\nCheckpoints: ${links.size}`);
  for (const [id, commits] of links) {
    const prompt = prompts.has(id) ? `"${firstLine(prompts.get(id), 80)}"` : "(not on this machine)";
    context.terminal.out(`\n[${id}] ${prompt}`);
    for (const { date, shortOid, subject } of commits) {
      context.terminal.out(`  ${date.slice(0, 10)} (${shortOid}) ${printable(subject)}`);
    }
  }
}

/** By checkpoint that is stored here; undefined where it has no prompt. */
async function readFirstPrompts(
  git: Git,
  stores: CheckpointStores,
  links: ReadonlyMap<CheckpointId, readonly LinkedCommit[]>,
): Promise<Map<CheckpointId, string | undefined>> {
  const places = await listCheckpointPlaces(stores, { raw: false });
  const read = await readCheckpoints(
    git,
    [...places].filter(([id]) => links.has(id)),
  );
  const predecessors = findPredecessors(read);
  const newest = read.map(({ id, sessions }) => {
    const session = sessions.at(-1);
    const before = predecessors.get(predecessorKey(id, session?.files.index ?? -1));
    return { id, session, before };
  });
  const sessions = newest.flatMap(({ session, before }) =>
    [session, before].flatMap((one) => one?.files ?? []),
  );
  const prompts = await readPrompts(git, sessions);
  const promptsOf = (session: ReadSession | undefined): readonly string[] => {
    const oid = session?.files.prompt;
    const found = oid === undefined ? undefined : prompts.get(oid);
    return typeof found === "object" ? found : [];
  };
  return new Map(
    newest.map(({ id, session, before }) => [
      id,
      titleOf(promptsInScope(promptsOf(session), promptsOf(before))),
    ]),
  );
}
