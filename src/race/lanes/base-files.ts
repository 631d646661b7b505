import { join } from "node:path";
import { type Git, openGit } from "../../git/git.ts";
import type { RepoPath } from "../../git/ids.ts";
import { mustFindRepository } from "../../git/repository.ts";
import { fault } from "../../system/fault.ts";
import { probeReflink } from "../../system/files/copy-tree.ts";
import { canOverlay, type OverlayMeans, probeOverlays } from "../../system/process/overlays.ts";
import { checkOutMoment, type ForkDeps } from "../../timeline/fork/fork.ts";
import type { RaceRecord } from "../race-record.ts";

/** How the lanes of a race get their files, chosen by trying. */
export type LaneFiles = SharedFiles | OwnFiles;

/** All lanes read one checkout and the user's ignored directories through overlays. */
export interface SharedFiles {
  readonly by: "overlay";
  readonly means: OverlayMeans;
  /** The files that the race began with, checked out once; nobody works here. */
  readonly directory: string;
  /** The index over them. */
  readonly index: Uint8Array;
  /** Ignored directories of the user's worktree (dependencies, builds), from its top: lanes read them in place. */
  readonly ignored: readonly RepoPath[];
}

/** Every lane has a checkout of its own. */
export interface OwnFiles {
  /** `reflink`: with copies of the ignored directories that share blocks; `checkout`: without them. */
  readonly by: "reflink" | "checkout";
  readonly ignored: readonly RepoPath[];
}

/** Beside the lanes' worktrees, under a name that no lane can have. */
export function layersDirectory({ directory }: RaceRecord): string {
  return join(directory, ".layers");
}

/** Chooses how lanes get their files; for overlays the base's are checked out, once for a race. */
export async function prepareLaneFiles(git: Git, deps: ForkDeps, race: RaceRecord): Promise<LaneFiles> {
  const layers = layersDirectory(race);
  const top = git.repository.workTree ?? "";
  deps.files.makeFolder(layers, { mode: 0o700 });
  const ignored = await listIgnoredDirectories(git);
  const means = [layers, top].every(canOverlay) ? probeOverlays(layers) : undefined;
  if (means === undefined)
    return probeReflink(join(git.repository.commonDir, "HEAD"), layers)
      ? { by: "reflink", ignored }
      : { by: "checkout", ignored: [] };
  const directory = join(layers, "files");
  if (deps.files.statIfExists(directory) === undefined) await checkOutBase(git, deps, { race, directory });
  const { gitDir } = mustFindRepository(directory, deps);
  const index = deps.files.read(join(gitDir, "index"));
  return { by: "overlay", means, directory, index, ignored: ignored.filter(canOverlay) };
}

/** Under another name until it is whole: a race that was cut off begins anew. */
async function checkOutBase(
  git: Git,
  deps: ForkDeps,
  { race, directory }: { readonly race: RaceRecord; readonly directory: string },
): Promise<void> {
  const fresh = `${directory}.fresh`;
  deps.files.removeTree(fresh);
  const worktree = await addEmptyWorktree(git, deps, { path: fresh, head: race.base.head });
  await checkOutMoment(worktree, deps, race.base);
  fault("race:after-base-files");
  await git.run(["worktree", "move", fresh, directory]);
}

/** Hooks of the user's stay out: nothing is checked out that they could be about. */
export async function addEmptyWorktree(
  git: Git,
  deps: ForkDeps,
  { path, head }: { readonly path: string; readonly head: string },
): Promise<Git> {
  const args = ["-c", "core.hooksPath=/dev/null", "worktree", "add", "--quiet", "--no-checkout", "--detach"];
  await git.run([...args, "--force", path, head]);
  return openGit(mustFindRepository(path, deps), deps.processes, deps.env);
}

const maxIgnored = 200;

async function listIgnoredDirectories(git: Git): Promise<RepoPath[]> {
  const args = ["ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory"];
  const paths = (await git.text(args)).split("\0").filter((path) => path.endsWith("/"));
  return paths.slice(0, maxIgnored).map((path) => path.replace(/\/$/, "") as RepoPath);
}
