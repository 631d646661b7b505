import { KeyframeError } from "../../base/errors.ts";
import {
  listCheckpointPlaces,
  type ReadCheckpoint,
  readCheckpoints,
} from "../../checkpoints/query/read-checkpoints.ts";
import { resolveCheckpoints } from "../../checkpoints/query/resolve-checkpoint.ts";
import {
  type FoundRemoval,
  removalOfCheckpoints,
  removalOfSession,
} from "../../checkpoints/remove/find-removal.ts";
import type { Git } from "../../git/git.ts";
import { findElectedRemote, type Remote, resolveRemote } from "../../git/remote/remote.ts";
import type { RemovalReport } from "../../workflows/remove-records.ts";
import type { CliContext } from "../command/context.ts";
import { openReadableCheckpoints } from "../command/open-repository.ts";
import { printable } from "../output/terminal.ts";
import type { RmFlags } from "./rm-command.ts";

/** The conversations that a word means: a session, a checkpoint or a commit. */
export async function findRemovalTarget(context: CliContext, word: string): Promise<FoundRemoval> {
  const { git, stores } = openReadableCheckpoints(context);
  const all: readonly ReadCheckpoint[] = await readCheckpoints(
    git,
    await listCheckpointPlaces(stores, { raw: false }),
  );
  const session = all.some(({ id }) => id.startsWith(word)) ? undefined : removalOfSession(all, word);
  if (session !== undefined) return session;
  const resolved = await resolveCheckpoints({ git, stores, files: context.files }, word);
  return removalOfCheckpoints(
    all,
    resolved.map(({ id }) => id),
  );
}

export async function removalRemote(git: Git, { local, remote }: RmFlags): Promise<Remote | undefined> {
  if (local && remote !== undefined)
    throw new KeyframeError("usage", "--local and --remote do not go together");
  if (local) return undefined;
  return remote === undefined ? findElectedRemote(git) : resolveRemote(git, remote);
}

/** @throws KeyframeError `remote-failed` where something could not be done */
export function printRemoval(
  { terminal }: CliContext,
  report: RemovalReport,
  { remote, json }: { readonly remote: Remote | undefined; readonly json: boolean },
): void {
  if (json) terminal.json(report);
  else {
    for (const ref of report.refs) terminal.out(`written anew here  ${ref}`);
    for (const ref of report.remoteRefs)
      terminal.out(`written anew at ${remote?.name ?? "the remote"}  ${ref}`);
    terminal.out(`${report.objects} objects are not named by any store any more`);
    if (report.stillNamed.length > 0)
      terminal.note(`${report.stillNamed.length} of them are named by other refs or reflogs here and stay`);
    if (remote === undefined)
      terminal.note("no remote was changed: others may still have it, and fetching brings it back");
    terminal.note(
      "What this cannot undo: clones and backups of others, and what the remote's host keeps of old objects.",
    );
    terminal.note("A secret that was pushed is known: replace it.");
  }
  if (report.problems.length > 0) {
    throw new KeyframeError("remote-failed", report.problems.map(printable).join("; "), {
      hint: "run the command again; what was removed stays removed",
    });
  }
}
