import type { Git } from "../../git/git.ts";
import { isOid, type Oid } from "../../git/ids.ts";
import { resolveRevision, updateRefs } from "../../git/refs/refs.ts";
import { type RaceRecord, raceRef, titleOfRace } from "../race-record.ts";

/**
 * Commits what a lane has left uncommitted, with git's hooks, so that lines find their owners and the conversation is
 * linked; then names the lane's newest commit by a ref. Undefined where the lane changed nothing.
 */
export async function recordLaneWork(
  lane: Git,
  { race, name }: { readonly race: RaceRecord; readonly name: string },
): Promise<Oid | undefined> {
  await lane.run(["add", "--all"]);
  const tree = await lane.text(["write-tree"]);
  const head = await lane.text(["rev-parse", "--verify", "HEAD"]);
  if (head === race.base.head && tree === race.base.tree) return undefined;
  const isCommitted = tree === (await lane.text(["rev-parse", "--verify", "HEAD^{tree}"]));
  if (!isCommitted) {
    // signing may ask for a passphrase, and nobody is there to give it
    const args = ["-c", "commit.gpgSign=false", "commit", "--quiet", "-F", "-"];
    await lane.run(args, { stdin: laneMessage(race, name) });
  }
  const commit = await lane.text(["rev-parse", "--verify", "HEAD"]);
  if (!isOid(commit)) return undefined;
  await nameLaneCommit(lane, { race, name, commit });
  return commit;
}

/** What a lane came to, as a ref: it stays when the lane's place goes. */
export async function nameLaneCommit(
  git: Git,
  { race, name, commit }: { readonly race: RaceRecord; readonly name: string; readonly commit: Oid },
): Promise<void> {
  const ref = raceRef(race.id, name);
  const expected = await resolveRevision(git, ref);
  await updateRefs(git, [{ ref, next: commit, expected }], "keyframe: race lane");
}

/** Of the commit that holds what a lane left uncommitted. */
export function laneMessage(race: RaceRecord, name: string): string {
  return `${titleOfRace(race)}\n\nLane ${name} of race ${race.id}\n`;
}
