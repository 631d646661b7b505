import { listTurnRefs, type TurnSnapshot } from "../../checkpoints/capture/turn-snapshots.ts";
import type { Git } from "../../git/git.ts";
import type { MomentMachine } from "../moment.ts";
import { type MachineRun, runRefs } from "./machine-run.ts";
import { machinePlace } from "./run-conversation.ts";

/** The turns that came out of machines, newest first: each is of the run's own place. */
export async function listRunTurns(git: Git, runs: readonly MachineRun[]): Promise<TurnSnapshot[]> {
  if (runs.length === 0) return [];
  const listed = await Promise.all(
    runs.map(async ({ name }) => {
      const turns = await listTurnRefs(git, `${runRefs(name)}turns/`);
      return turns.map((turn) => ({ ...turn, worktree: `${machinePlace}${name}` }));
    }),
  );
  // a copy of a machine has the turns of its parent too: they are of the run that they happened in
  const byCommit = new Map(listed.flat().map((turn) => [turn.commit, turn]));
  return [...byCommit.values()].sort((a, b) => (a.at < b.at ? 1 : a.at > b.at ? -1 : b.turn - a.turn));
}

/** The machine of each moment that has one, by its commit. */
export function machinesOf(runs: readonly MachineRun[]): Map<string, MomentMachine> {
  const machines = new Map<string, MomentMachine>();
  // the newest run first, and in a run the last machine of a moment counts
  for (const { name, moments } of [...runs].reverse())
    for (const { commit, snapshot, sizeBytes } of moments)
      machines.set(commit, {
        run: name,
        ...(snapshot === undefined ? {} : { snapshot }),
        ...(sizeBytes === undefined ? {} : { sizeBytes }),
      });
  return machines;
}
