import { dirname, join, relative } from "node:path";
import { readMomentOwners } from "../../checkpoints/capture/moment-owners.ts";
import { type Git, openGit } from "../../git/git.ts";
import type { Oid, RepoPath } from "../../git/ids.ts";
import { mustFindRepository } from "../../git/repository.ts";
import { fault } from "../../system/fault.ts";
import type { Files } from "../../system/files/files.ts";
import { type OverlayMount, type OverlayView, processesIn } from "../../system/process/overlays.ts";
import { checkOutMoment, type ForkDeps, restoreMomentOwners } from "../../timeline/fork/fork.ts";
import { copyPersonalPaths } from "../../timeline/fork/personal-files.ts";
import type { LaneStatus, RaceRecord } from "../race-record.ts";
import { addEmptyWorktree, type LaneFiles, layersDirectory, type SharedFiles } from "./base-files.ts";

/** Where a lane works. */
export interface LanePlace {
  /** Sees the lane's files. */
  readonly git: Git;
  readonly directory: string;
  /** What its commands need to see the files; absent where they are simply there. */
  readonly view?: OverlayView;
}

export interface LaneRequest {
  readonly race: RaceRecord;
  readonly name: string;
  readonly files: LaneFiles;
  /** Paths that come along from the user's worktree though they are no part of the base. */
  readonly personal: readonly RepoPath[];
}

/**
 * Makes the worktree of a lane: detached at the base's HEAD, with index and files as they were in the user's. What an
 * attempt that was cut off left of it is removed first.
 */
export async function makeLane(git: Git, deps: ForkDeps, request: LaneRequest): Promise<LanePlace> {
  const { race, name, files } = request;
  const directory = join(race.directory, name);
  deps.files.makeFolder(race.directory, { mode: 0o700 });
  deps.files.removeTree(directory);
  removeLayers(deps.files, join(layersDirectory(race), name));
  const worktree = await addEmptyWorktree(git, deps, { path: directory, head: race.base.head });
  fault("race:after-lane-worktree");
  const top = git.repository.workTree ?? "";
  const place =
    files.by === "overlay"
      ? layLane(worktree, deps, { shared: files, directory, top, own: join(layersDirectory(race), name) })
      : { git: worktree, directory };
  if (files.by !== "overlay") await checkOutMoment(worktree, deps, race.base);
  fault("race:after-lane-files");
  const to = place.view?.overlays[0]?.upper ?? directory;
  const personal = request.personal.filter((path) => !files.ignored.includes(path));
  const copied = files.by === "reflink" ? [...personal, ...files.ignored] : personal;
  copyPersonalPaths(deps, copied, { from: top, to });
  const heads = readMomentOwners(git.repository, deps.files, race.base.owners);
  await restoreMomentOwners(git, deps, {
    fork: worktree,
    commit: race.base.commit,
    base: race.base.head,
    heads,
  });
  return place;
}

interface Layers {
  readonly shared: SharedFiles;
  readonly directory: string;
  /** Where the lane's own layers are. */
  readonly own: string;
  /** The user's worktree. */
  readonly top: string;
}

/** Puts the lane over the base's files; what it changes goes to directories beside. */
function layLane(worktree: Git, deps: ForkDeps, { shared, directory, own, top }: Layers): LanePlace {
  const { files } = deps;
  const main = makeOverlay(files, join(own, "files"), { target: directory, lower: shared.directory });
  // what makes the directory a worktree lies in the base too, for another one
  files.replaceWithoutSync(join(main.upper, ".git"), files.read(join(directory, ".git")), { mode: 0o644 });
  files.replaceWithoutSync(join(worktree.repository.gitDir, "index"), shared.index, { mode: 0o644 });
  const ignored = shared.ignored.map((path, place) =>
    makeOverlay(files, join(own, String(place)), { target: join(directory, path), lower: join(top, path) }),
  );
  const view = { means: shared.means, overlays: [main, ...ignored] };
  const git = openGit(worktree.repository, processesIn(deps.processes, view), deps.env);
  return { git, directory, view };
}

function makeOverlay(
  files: Files,
  upper: string,
  place: Pick<OverlayMount, "target" | "lower">,
): OverlayMount {
  const work = `${upper}.work`;
  for (const path of [upper, work]) files.makeFolder(path, { mode: 0o755 });
  return { ...place, upper, work };
}

/**
 * Puts the files of a lane that has ended where its worktree is: until then only its own commands have seen them. Does
 * nothing where they are there. What is ignored stays out.
 */
export async function showLaneFiles(
  git: Git,
  deps: ForkDeps,
  { race, lane }: { readonly race: RaceRecord; readonly lane: Pick<LaneStatus, "name" | "commit"> },
): Promise<void> {
  const directory = join(race.directory, lane.name);
  const found = deps.files.listIfExists(directory) ?? [];
  if (found.length !== 1 || found[0]?.name !== ".git") return;
  const worktree = openGit(mustFindRepository(directory, deps), deps.processes, deps.env);
  const tree =
    lane.commit === undefined ? undefined : ((await git.text(["rev-parse", `${lane.commit}^{tree}`])) as Oid);
  await checkOutMoment(worktree, deps, tree === undefined ? race.base : { tree, indexTree: tree });
}

/** By path in the lane: the directories that hold what was written there. */
export function writtenRoots({
  directory,
  view,
}: LanePlace): { readonly at: string; readonly directory: string }[] {
  return (view?.overlays ?? []).map(({ target, upper }) => ({
    at: relative(directory, target),
    directory: upper,
  }));
}

/** The kernel leaves a directory that only root can enter. */
function removeLayers(files: Files, own: string): void {
  for (const { name } of files.listIfExists(own) ?? [])
    if (name.endsWith(".work") && files.statIfExists(join(own, name, "work")) !== undefined)
      files.setMode(join(own, name, "work"), 0o700);
  files.removeTree(own);
}

/** Takes a race's worktrees away: a rename at once, the removal of their files by the caller's `later`. */
export async function dropLanes(
  git: Git,
  deps: ForkDeps,
  { race, later }: { readonly race: RaceRecord; readonly later: (trash: string) => void },
): Promise<void> {
  const { files } = deps;
  if (files.statIfExists(race.directory) !== undefined) {
    const layers = layersDirectory(race);
    for (const { name } of files.listIfExists(layers) ?? [])
      if (name !== "files") removeLayers(files, join(layers, name));
    const trash = `${race.directory}.removed-${deps.clock.nowMs()}`;
    files.rename(race.directory, trash);
  }
  // those of a removal that was cut off too
  const races = dirname(race.directory);
  for (const { name } of files.listIfExists(races) ?? [])
    if (/^[0-9a-f]{8}\.removed-\d+$/.test(name)) later(join(races, name));
  await git.run(["worktree", "prune"]);
}
