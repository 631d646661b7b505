import { listTurnRefs, type TurnSnapshot } from "../../checkpoints/capture/turn-snapshots.ts";
import { joinCheckpointBranch } from "../../checkpoints/remote/join/join-branch.ts";
import { mergeNotes } from "../../checkpoints/remote/join/merge-notes.ts";
import { v1Branch } from "../../checkpoints/stores/layout-refs.ts";
import { type Git, gitFailed, openGit } from "../../git/git.ts";
import { isOid, type Oid } from "../../git/ids.ts";
import { openObjectReader } from "../../git/objects/objects.ts";
import { readNotes, updateNotes } from "../../git/refs/notes.ts";
import { resolveRevision, updateRefs } from "../../git/refs/refs.ts";
import type { SandboxContext } from "../../sandbox/store/home.ts";
import type { Clock } from "../../system/clock.ts";
import { type MachineRun, runRefs } from "../../timeline/machines/machine-run.ts";
import { guestGitEnvironment, guestUrl } from "./guest-git.ts";

export interface BroughtOut {
  /** Turns of the run, newest first. */
  readonly turns: readonly TurnSnapshot[];
  /** The newest commit of the machine's branch. */
  readonly head: Oid;
  /** True where `keyframe/<name>` could not follow: its commits are not those of the machine. */
  readonly refused: boolean;
}

export interface BringOutDeps {
  readonly sandboxContext: SandboxContext;
  readonly env: NodeJS.ProcessEnv;
  readonly clock: Clock;
}

/** The branch here that follows a machine's. */
export function branchOfRun({ name }: MachineRun): string {
  return `refs/heads/keyframe/${name}`;
}

/**
 * Fetches what a machine's repository has, as it is now, into `refs/keyframe/runs/<name>/`; then the owners of its new
 * commits and its checkpoints join ours, and the branch `keyframe/<name>` moves forward, never to the side. The machine is
 * not trusted: git checks every object, and notes on other commits than its own are left where they are. `branch: false`
 * leaves `keyframe/<name>` out.
 */
export async function bringOut(
  git: Git,
  deps: BringOutDeps,
  run: MachineRun,
  { branch = true }: { readonly branch?: boolean } = {},
): Promise<BroughtOut> {
  const refs = runRefs(run.name);
  await fetchRefs(git, deps, run);
  const head = (await resolveRevision(git, `${refs}heads/${run.branch}`)) ?? (run.base as Oid);
  const nowSeconds = Math.floor(deps.clock.nowMs() / 1000);
  const notes = await resolveRevision(git, `${refs}notes/ai`);
  if (notes !== undefined) await joinNotes(git, { run, head, notes, nowSeconds });
  const checkpoints = await resolveRevision(git, `${refs}heads/${v1Branch.slice("refs/heads/".length)}`);
  if (checkpoints !== undefined) await joinCheckpointBranch(git, checkpoints, nowSeconds);
  const refused = branch && !(await followHead(git, run, head));
  return { turns: await listTurnRefs(git, `${refs}turns/`), head, refused };
}

async function fetchRefs(git: Git, { sandboxContext, env }: BringOutDeps, run: MachineRun): Promise<void> {
  const refs = runRefs(run.name);
  const into = openGit(git.repository, sandboxContext.processes, guestGitEnvironment(sandboxContext, env));
  const args = [
    ...["-c", "fetch.fsckObjects=true", "-c", "gc.auto=0", "-c", "maintenance.auto=false"],
    ...[
      "fetch",
      "-q",
      "--no-tags",
      "--no-write-fetch-head",
      "--no-recurse-submodules",
      "--no-auto-maintenance",
    ],
    guestUrl(run.sandbox, run.directory),
    `+refs/heads/*:${refs}heads/*`,
    `+refs/notes/*:${refs}notes/*`,
    `+refs/keyframe/turns/*:${refs}turns/*`,
  ];
  const result = await into.run(args, { okCodes: [0, 1, 128], timeoutMs: fetchLimitMs });
  if (result.code !== 0) throw gitFailed(args.slice(6), result);
}

const fetchLimitMs = 10 * 60_000;

async function joinNotes(
  git: Git,
  {
    run,
    head,
    notes,
    nowSeconds,
  }: { readonly run: MachineRun; readonly head: Oid; readonly notes: Oid; readonly nowSeconds: number },
): Promise<void> {
  const own = (await git.text(["rev-list", head, "--not", run.base])).split("\n").filter(isOid);
  const ref = `${runRefs(run.name)}checked-notes`;
  const reader = openObjectReader(git);
  try {
    const texts = await readNotes(reader, notes, own);
    if (texts.size === 0) return;
    const edits = new Map([...texts].map(([commit, text]) => [commit, () => text.toString("utf8")]));
    await updateNotes(git, reader, {
      ref,
      edits,
      message: `Owners from the machine ${run.name}`,
      nowSeconds,
    });
  } finally {
    await reader.close();
  }
  const tip = await resolveRevision(git, ref);
  if (tip !== undefined) await mergeNotes(git, tip, nowSeconds);
}

/** True if `keyframe/<name>` holds the machine's head now. */
async function followHead(git: Git, run: MachineRun, head: Oid): Promise<boolean> {
  const ref = branchOfRun(run);
  const here = await resolveRevision(git, ref);
  if (here === head) return true;
  if (here !== undefined) {
    const contained = await git.run(["merge-base", "--is-ancestor", here, head], { okCodes: [0, 1] });
    if (contained.code !== 0) return false;
    const places = await git.text(["worktree", "list", "--porcelain"]);
    // the files of whoever has it checked out would not follow
    if (places.split("\n").includes(`branch ${ref}`)) return false;
  }
  return updateRefs(git, [{ ref, expected: here, next: head }], "keyframe: follow the machine");
}
