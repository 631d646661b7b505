import {
  findDisconnectedRefs,
  findMisplacedObjects,
  findRemoteProblems,
} from "../../../checkpoints/remote/push/find-remote-problems.ts";
import { moveMisplaced } from "../../../git/remote/misplaced-objects.ts";
import { completeOrRemoveStale } from "../../../git/remote/quarantine.ts";
import { resolveRemote } from "../../../git/remote/remote.ts";
import { fetchRecords } from "../../../workflows/fetch-records.ts";
import { pushRecords } from "../../../workflows/push-records.ts";
import { openSync } from "../../command/sync-context.ts";
import type { DoctorCheck } from "./check.ts";

/**
 * What stands between here and the remotes, as far as it is known here. Only refs without common history are looked for
 * unless `--remote` is given, and only then `--repair` fetches and pushes.
 */
export const remotesCheck: DoctorCheck = {
  name: "remotes",
  label: "remote",
  async find({ cli, git, remote }) {
    const { sync } = openSync(cli, git);
    const problems = [
      ...(await findMisplacedObjects(sync, cli.clock.nowMs())),
      ...(remote ? await findRemoteProblems(sync) : await findDisconnectedRefs(sync)),
    ];
    return problems.map(({ kind, subject, what, repair }) => ({
      kind,
      subject,
      what,
      repair,
      repairable: remote || kind === "misplaced objects",
      damage: false,
    }));
  },
  async repair({ cli, git, remote }, findings) {
    const kinds = new Set(findings.map(({ kind }) => kind));
    if (kinds.has("misplaced objects")) await moveMisplaced(git, cli, cli.clock.nowMs());
    if (!remote) return;
    if (kinds.has("interrupted fetch")) completeOrRemoveStale(git, cli);
    if (!["disconnected", "not pushed", "lost fetch"].some((kind) => kinds.has(kind))) return;
    const elected = await resolveRemote(git);
    const { sync, finish } = openSync(cli, git);
    try {
      await fetchRecords(sync, elected);
      const { problems } = await pushRecords(sync, elected);
      for (const problem of problems) sync.note(problem);
    } finally {
      finish();
    }
  },
};
