import { errorText } from "../../../base/errors.ts";
import { listPrepared } from "../../../checkpoints/commit/commit-directory.ts";
import { findCheckpointProblems } from "../../../checkpoints/doctor/find-problems.ts";
import { applyRecordRepairs, planRecordRepairs } from "../../../checkpoints/doctor/repair-records.ts";
import { listCheckpointPlaces } from "../../../checkpoints/query/read-checkpoints.ts";
import { type CheckpointId, isCheckpointId } from "../../../checkpoints/record/ids.ts";
import { fetchCheckpoints } from "../../../checkpoints/remote/fetch/fetch-checkpoints.ts";
import { withFetched } from "../../../checkpoints/remote/fetch/fetched-stores.ts";
import { resolveRemote } from "../../../git/remote/remote.ts";
import { settleRepository } from "../../command/settle-first.ts";
import { openSync } from "../../command/sync-context.ts";
import type { DoctorCheck, DoctorContext, Finding } from "./check.ts";

/** Kinds that a remote may have the answer to. */
const fetchedKinds = new Set(["dangling trailer", "missing here", "incomplete transcript"]);

/** Checkpoints, and the commits that name them. */
export const checkpointsCheck: DoctorCheck = {
  name: "checkpoints",
  label: "checkpoint",
  async find(context) {
    const { cli, git, repository, stores, remote } = context;
    const prepared = new Set(listPrepared(repository, cli.files).map(({ id }) => id));
    const fetched = new Set((await listCheckpointPlaces(withFetched(stores, git, cli.files))).keys());
    const problems = await findCheckpointProblems(git, stores, { prepared, fetched });
    return problems
      .filter(({ harmless }) => !harmless)
      .map(({ kind, subject, what, repair, repairable }) => ({
        kind,
        subject,
        what,
        repair,
        repairable: repairable || (remote && fetchedKinds.has(kind)),
        damage: kind === "unreadable record",
      }));
  },
  async repair(context, findings) {
    const { cli, git, repository, stores, remote } = context;
    await settleRepository(cli, repository);
    if (findings.some(({ kind }) => kind === "unreadable record")) {
      const repairs = await planRecordRepairs(git, stores);
      await applyRecordRepairs(git, stores, repairs, Math.floor(cli.clock.nowMs() / 1000));
    }
    if (remote) await fetchWhatIsMissing(context, findings);
  },
};

/** One checkpoint after the other, so that one that no remote has does not hold up the rest. */
async function fetchWhatIsMissing(
  { cli, git, stores }: DoctorContext,
  findings: readonly Finding[],
): Promise<void> {
  const wanted = findings.filter(({ kind }) => fetchedKinds.has(kind)).map(({ subject }) => subject);
  const ids = [...new Set(wanted)].filter((id): id is CheckpointId => isCheckpointId(id));
  if (ids.length === 0) return;
  const elected = await resolveRemote(git);
  const { sync, finish } = openSync(cli, git);
  try {
    await fetchCheckpoints(sync, elected);
    const here = await listCheckpointPlaces(withFetched(stores, git, cli.files));
    for (const id of ids) {
      if (!here.has(id)) continue;
      await fetchCheckpoints(sync, elected, { whole: [id] }).catch((error: unknown) =>
        sync.note(errorText(error)),
      );
    }
  } finally {
    finish();
  }
}
