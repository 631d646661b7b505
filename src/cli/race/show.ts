import {
  adoptedLanes,
  hasEnded,
  listRaces,
  type RaceRecord,
  raceDirectory,
  readAdoption,
  readLane,
} from "../../race/race-record.ts";
import { raceRows } from "../../race/race-table.ts";
import { watch } from "../../system/files/watch.ts";
import type { CliContext } from "../command/context.ts";
import { openRepositoryGit } from "../command/open-repository.ts";
import { firstLine, localTime } from "../output/checkpoint-text.ts";
import { formatTable } from "../output/terminal.ts";
import { lanesOf, mustFindRace } from "./find-race.ts";
import type { RaceListFlags, RaceShowFlags } from "./race-command.ts";
import { markdownTable, raceTable } from "./table.ts";

/** `keyframe race list` */
export function listAll(this: CliContext, { json }: RaceListFlags): void {
  const git = openRepositoryGit(this);
  const races = listRaces(git.repository, this.files);
  if (json) {
    this.terminal.json(
      races.map((race) => ({
        ...race,
        lanes: lanesOf(git, this.files, race),
        adoption: readAdoption(git.repository, this.files, race.id) ?? null,
      })),
    );
    return;
  }
  if (races.length === 0) {
    this.terminal.note("no races; `keyframe race start` begins one");
    return;
  }
  const rows = races.map((race) => {
    const adopted = adoptedLanes(readAdoption(git.repository, this.files, race.id));
    const lanes = lanesOf(git, this.files, race);
    const ended = lanes.filter(hasEnded).length;
    return [
      this.terminal.style("yellow", race.id),
      localTime(race.at),
      ended === lanes.length ? "ended" : `${ended} of ${lanes.length} ended`,
      adopted.length > 0 ? `adopted ${adopted.join(", ")}` : "",
      firstLine(race.prompt, 60),
    ];
  });
  this.terminal.out(formatTable(rows));
}

/** `keyframe race show [id]` */
export async function showRace(this: CliContext, flags: RaceShowFlags, id?: string): Promise<void> {
  const git = openRepositoryGit(this);
  const race = mustFindRace(git, this.files, id);
  const print = () => {
    const base = readLane(git.repository, this.files, { id: race.id, name: "base" });
    const rows = raceRows(race, base, lanesOf(git, this.files, race));
    if (flags.json) this.terminal.json({ ...race, base: { ...race.base, checks: base.checks }, rows });
    else if (flags.markdown) this.terminal.out(markdownTable(rows));
    else
      this.terminal.out(
        `${firstLine(race.prompt, this.terminal.columns)}\n${formatTable(raceTable(this, race, rows))}`,
      );
    return rows.every(({ lane }) => hasEnded(lane));
  };
  if (print() || !flags.watch) return;
  await untilEnded(this, race, { directory: raceDirectory(git.repository, race.id), print });
}

async function untilEnded(
  context: CliContext,
  race: RaceRecord,
  { directory, print }: { readonly directory: string; readonly print: () => boolean },
): Promise<void> {
  context.files.makeFolder(`${directory}/lanes`);
  for await (const _ of watch(`${directory}/lanes`)) {
    context.terminal.out("");
    if (print()) return;
  }
  context.terminal.note(`race ${race.id} can no longer be watched`);
}
