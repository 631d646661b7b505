import { join } from "node:path";
import { settle } from "../../authorship/settle/settle.ts";
import { KeyframeError } from "../../base/errors.ts";
import { takeMark } from "../../checkpoints/capture/marks.ts";
import { withWorkTreeIndex } from "../../checkpoints/capture/turn-snapshots.ts";
import { planFiles } from "../../checkpoints/rewind/plan-rewind.ts";
import { applyFiles } from "../../checkpoints/rewind/rewind.ts";
import type { Git } from "../../git/git.ts";
import type { Oid, RepoPath } from "../../git/ids.ts";
import { resolveRevision, updateRefs } from "../../git/refs/refs.ts";
import type { JournalDeps } from "../../journal/log/journal.ts";
import { fault } from "../../system/fault.ts";
import type { Processes } from "../../system/process/processes.ts";
import type { Trace } from "../../system/trace.ts";
import { type Adoption, type RaceRecord, readAdoption, writeAdoption } from "../race-record.ts";
import { type AdoptionPlan, type TreeChange, writeTreeWith } from "./plan-adoption.ts";
import { treeOf } from "./replay.ts";

export interface AdoptDeps extends JournalDeps {
  readonly processes: Processes;
  readonly trace: Trace;
  readonly env: NodeJS.ProcessEnv;
}

/**
 * Moves the branch, the index and the files of the lane's paths to an adoption's commits. Everything is checked before
 * anything is changed; owners move first, so a commit is never without its note. Other files stay as they are.
 * @throws KeyframeError `refused` where a file or the index has other changes in the lane's paths
 */
export async function applyAdoption(
  git: Git,
  deps: AdoptDeps,
  { race, lane, plan }: { readonly race: RaceRecord; readonly lane: string; readonly plan: AdoptionPlan },
): Promise<void> {
  const { repository } = git;
  const known = readAdoption(repository, deps.files, race.id);
  if (known?.state === "begun") {
    throw new KeyframeError("refused", `the adoption of lane ${known.lane} was cut off`, {
      hint: "undo it first: `keyframe race adopt --undo`",
    });
  }
  const earlier = known?.state === "done" ? known : known?.earlier;
  await mustLeaveStagedWork(git, plan);
  const target = await withWorkTreeIndex(git, deps, async (index) =>
    planTarget(git, { race, plan, present: (await index.takeTree()).tree }),
  );
  const safety = (await takeMark(git, deps, `before adopting ${lane} of race ${race.id}`)).commit;
  const indexBytes = deps.files.readIfExists(join(repository.gitDir, "index"));
  const adoption: Adoption = {
    version: 1,
    lane,
    state: "begun",
    branch: plan.branch,
    before: plan.before,
    after: plan.after,
    safety,
    index: indexBytes === undefined ? null : indexBytes.toString("base64"),
    commits: plan.commits,
    ...(earlier === undefined ? {} : { earlier }),
  };
  writeAdoption(repository, deps.files, { id: race.id, adoption });
  fault("race:after-adoption-record");
  await settle(git, deps, { rewrites: plan.commits });
  fault("race:after-notes");
  const move = { ref: plan.branch, next: plan.after, expected: plan.before };
  if (!(await updateRefs(git, [move], `keyframe: adopt lane ${lane} of race ${race.id}`))) {
    writeAdoption(repository, deps.files, {
      id: race.id,
      adoption: earlier ?? { ...adoption, state: "undone" },
    });
    throw new KeyframeError("refused", `${plan.branch} moved meanwhile`, { hint: "run the command again" });
  }
  fault("race:after-branch");
  await git.run(["read-tree", "-m", plan.before, plan.after]);
  fault("race:after-index");
  await moveFiles(git, deps, target);
  await git.run(["update-index", "-q", "--refresh"], { okCodes: [0, 1] });
  writeAdoption(repository, deps.files, { id: race.id, adoption: { ...adoption, state: "done" } });
}

/** The two-way merge of the index is tried on a copy: it refuses staged changes in the paths that move. */
async function mustLeaveStagedWork(git: Git, { before, after }: AdoptionPlan): Promise<void> {
  const dry = await git.run(["read-tree", "--dry-run", "-m", before, after], { okCodes: [0, 128] });
  if (dry.code === 0) return;
  const path = /Entry '(.+?)'/.exec(dry.stderr)?.[1];
  throw new KeyframeError(
    "refused",
    `staged changes${path === undefined ? "" : ` in ${path}`} are in the way of the lane's`,
    {
      hint: "commit or unstage them, then adopt again",
    },
  );
}

/**
 * The tree that the files get: the present one, with the paths that the adoption changes. A path counts as free where it
 * is as HEAD has it, or as the race began with it; any other change of the user's is in the way.
 */
async function planTarget(
  git: Git,
  { race, plan, present }: { readonly race: RaceRecord; readonly plan: AdoptionPlan; readonly present: Oid },
): Promise<Oid> {
  const [fromHead, fromBase, sinceHead, sinceBase] = await Promise.all([
    diffTrees(git, await treeOf(git, plan.before), await treeOf(git, plan.after)),
    diffTrees(git, race.base.tree, plan.laneTree),
    diffTrees(git, await treeOf(git, plan.before), present),
    diffTrees(git, race.base.tree, present),
  ]);
  const changes: TreeChange[] = [];
  const inTheWay: RepoPath[] = [];
  for (const path of new Set([...fromHead.keys(), ...fromBase.keys()])) {
    const head = fromHead.get(path);
    const lane = fromBase.get(path);
    if (head !== undefined && !sinceHead.has(path)) changes.push({ path, ...head });
    else if (lane !== undefined && !sinceBase.has(path)) changes.push({ path, ...lane });
    else if (head !== undefined && !isSame(sinceHead.get(path), head)) inTheWay.push(path);
  }
  if (inTheWay.length > 0) {
    throw new KeyframeError(
      "refused",
      `your own changes are in the way: ${inTheWay.slice(0, 10).join(", ")}`,
      {
        hint: "commit them, adopt other paths with --only, or `keyframe mark` them and check the files out",
      },
    );
  }
  return writeTreeWith(git, present, changes);
}

type Entry = Omit<TreeChange, "path">;

function isSame(a: Entry | undefined, b: Entry): boolean {
  return a !== undefined && a.mode === b.mode && a.oid === b.oid;
}

/** By path: what the second tree has there. */
async function diffTrees(git: Git, from: Oid, to: Oid): Promise<Map<RepoPath, Entry>> {
  const { stdout } = await git.run([
    "diff-tree",
    "-r",
    "--raw",
    "-z",
    "--no-renames",
    "--abbrev=64",
    from,
    to,
  ]);
  const parts = stdout.toString("utf8").split("\0");
  const entries = new Map<RepoPath, Entry>();
  for (let at = 0; at + 1 < parts.length; at += 2) {
    const [, mode = "", , oid = ""] = (parts[at] ?? "").split(" ");
    entries.set((parts[at + 1] ?? "") as RepoPath, { mode, oid });
  }
  return entries;
}

async function moveFiles(git: Git, deps: AdoptDeps, to: Oid): Promise<void> {
  await withWorkTreeIndex(git, deps, async (index) => {
    const { tree, untaken } = await index.takeTree();
    const planned = await planFiles(git, deps.files, { from: tree, to, keepsUntracked: false });
    const plan = { ...planned, steps: planned.steps.filter(({ path }) => !untaken.includes(path)) };
    await applyFiles(git, deps.files, { index, plan, to });
  });
}

/**
 * Takes an adoption back: branch, index and files are as they were before it. @throws KeyframeError `not-found`,
 * `refused` where something was built on it
 */
export async function undoAdoption(git: Git, deps: AdoptDeps, race: RaceRecord): Promise<Adoption> {
  const { repository } = git;
  const adoption = readAdoption(repository, deps.files, race.id);
  if (adoption === undefined || adoption.state === "undone")
    throw new KeyframeError("not-found", `no lane of race ${race.id} was adopted`, {
      hint: "see `keyframe race list`",
    });
  const tip = await resolveRevision(git, adoption.branch);
  const head = (await git.run(["symbolic-ref", "-q", "HEAD"], { okCodes: [0, 1] })).stdout
    .toString("utf8")
    .trim();
  if (head !== adoption.branch || (tip !== adoption.after && tip !== adoption.before)) {
    throw new KeyframeError("refused", `${adoption.branch} has moved on since the adoption`, {
      hint: `revert the commits, or go back by hand: git reset ${adoption.before.slice(0, 12)}`,
    });
  }
  if (tip === adoption.after)
    await updateRefs(
      git,
      [{ ref: adoption.branch, next: adoption.before, expected: adoption.after }],
      `keyframe: undo the adoption of lane ${adoption.lane}`,
    );
  const indexPath = join(repository.gitDir, "index");
  if (adoption.index === null) deps.files.remove(indexPath);
  else deps.files.replace(indexPath, Buffer.from(adoption.index, "base64"), { mode: 0o644 });
  await moveFiles(git, deps, await treeOf(git, adoption.safety));
  await git.run(["update-index", "-q", "--refresh"], { okCodes: [0, 1] });
  const undone: Adoption = { ...adoption, state: "undone" };
  writeAdoption(repository, deps.files, { id: race.id, adoption: adoption.earlier ?? undone });
  return undone;
}
