import { notesRef } from "../../authorship/note/notes-ref.ts";
import { KeyframeError } from "../../base/errors.ts";
import { mergeNotes } from "../../checkpoints/remote/join/merge-notes.ts";
import { type PushContext, pushCheckpoints } from "../../checkpoints/remote/push/push-checkpoints.ts";
import type { Git } from "../../git/git.ts";
import type { Oid } from "../../git/ids.ts";
import { openObjectReader } from "../../git/objects/objects.ts";
import { type NoteEdit, updateNotes } from "../../git/refs/notes.ts";
import { resolveRevision } from "../../git/refs/refs.ts";
import { fetchWhole, type RemoteTip } from "../../git/remote/fetch.ts";
import type { Remote } from "../../git/remote/remote.ts";
import type { HttpClient } from "../../system/net/http.ts";
import { dropFetchedRefs } from "./fetched-refs.ts";
import { changeNumber, findToldChanges, listChangeRefs } from "./find-changes.ts";
import { linkLines } from "./link-lines.ts";
import { isAncestor, listNewCommits, type MergedCommit, readCommits } from "./merged-commits.ts";
import { changeRef, changeRefPattern, type Forge, type Pipeline } from "./pipeline.ts";
import { type ChangeHead, type MergedOutcome, noteOf, planMerged } from "./settle-merged.ts";

export interface PipelineRequest {
  readonly pipeline: Pipeline;
  /** Commits that arrived; what the pipeline says by default. */
  readonly before?: Oid;
  readonly after?: Oid;
  readonly dryRun: boolean;
}

export interface PipelineReport {
  readonly outcomes: readonly MergedOutcome[];
  readonly pushed: boolean;
  readonly problems: readonly string[];
}

/** Refs of ours that hold what the pipeline fetched, while it runs. */
const fetchedPrefix = "refs/keyframe/ci/";

/**
 * Gives the commits that a service made by squashing or rebasing the owners and checkpoint links of the commits that
 * they were made from, and pushes the notes. Idempotent: what has a note is left alone; where others push notes at the
 * same time, theirs and ours are joined and pushed again.
 * @throws KeyframeError `remote-failed`, `timed-out`, `not-found`
 */
export async function settlePipeline(
  context: PushContext,
  remote: Remote,
  { client, request }: { readonly client: HttpClient; readonly request: PipelineRequest },
): Promise<PipelineReport> {
  const { git } = context;
  const after = request.after ?? request.pipeline.after ?? (await resolveRevision(git, "HEAD"));
  if (after === undefined) throw new KeyframeError("not-found", "there is no commit to settle");
  const before = request.before ?? request.pipeline.before;
  const commits = await listNewCommits(git, { before, after });
  const { api } = request.pipeline;
  const told = await findToldChanges(commits, { api, client, note: (text) => context.note(text) });
  const untold = commits.filter(({ oid, parents }) => parents.length < 2 && !told.has(oid));
  const refs =
    untold.length > 0 || told.size > 0
      ? await changeRefsOf(context, remote, {
          changes: [...told.values()].map(({ change }) => change),
          forge: request.pipeline.forge,
          wantsMore: untold.length > 0,
        })
      : [];
  try {
    const tips = await fetchOnce(context, remote, refs);
    const heads = new Map(tips.map(({ ref, oid }) => [changeNumber(ref), oid]));
    const toldHeads = new Map<Oid, ChangeHead>();
    for (const [commit, { change, head, evidence }] of told) {
      const known = heads.get(change) ?? head;
      if (known !== undefined && (await resolveRevision(git, `${known}^{commit}`)) !== undefined)
        toldHeads.set(commit, { change, head: known, evidence });
    }
    const candidates = [...heads].map(([change, head]) => ({
      change,
      head,
      evidence: "same change" as const,
    }));
    const outcomes = await planAll(git, await withSquashedParents(git, commits, toldHeads), {
      told: toldHeads,
      candidates,
    });
    if (request.dryRun) return { outcomes, pushed: false, problems: [] };
    return { outcomes, ...(await writeAndPush(context, remote, outcomes)) };
  } finally {
    await dropFetchedRefs(git, fetchedPrefix);
  }
}

async function changeRefsOf(
  context: PushContext,
  remote: Remote,
  wanted: {
    readonly changes: readonly number[];
    readonly forge: Forge | undefined;
    readonly wantsMore: boolean;
  },
): Promise<string[]> {
  const forges: readonly Forge[] = wanted.forge === undefined ? ["github", "gitlab"] : [wanted.forge];
  const told = wanted.changes.flatMap((change) => forges.map((forge) => changeRef(forge, change)));
  const more = wanted.wantsMore ? await listChangeRefs(context.git, remote) : [];
  return [...new Set([...told, ...more])];
}

/** Notes and the branches of changes in one request; what the remote lacks is no error. */
async function fetchOnce(
  context: PushContext,
  remote: Remote,
  refs: readonly string[],
): Promise<readonly RemoteTip[]> {
  const shallow = await context.git.text(["rev-parse", "--is-shallow-repository"]);
  const tips = await fetchWhole(context, remote, {
    patterns: [notesRef, ...refs],
    prefix: fetchedPrefix,
    unshallow: shallow === "true",
  });
  const notes = tips.find(({ ref }) => ref === notesRef);
  if (notes !== undefined) await mergeNotes(context.git, notes.oid, context.nowSeconds);
  return tips.filter(({ ref }) => changeRefPattern.test(ref));
}

/**
 * A service may squash a change and merge the result: then the new commit is the second parent of the merge, and no
 * commit of the change's own.
 */
async function withSquashedParents(
  git: Git,
  commits: readonly MergedCommit[],
  told: Map<Oid, ChangeHead>,
): Promise<MergedCommit[]> {
  const all: MergedCommit[] = [];
  for (const commit of commits) {
    const change = told.get(commit.oid);
    const [, second] = commit.parents;
    if (change !== undefined && second !== undefined && !(await isAncestor(git, second, change.head))) {
      const [squash] = await readCommits(git, ["--no-walk", second]);
      if (squash !== undefined && squash.parents.length === 1) {
        told.set(second, change);
        all.push(squash);
      }
    }
    all.push(commit);
  }
  return all;
}

async function planAll(
  git: Git,
  commits: readonly MergedCommit[],
  known: { readonly told: ReadonlyMap<Oid, ChangeHead>; readonly candidates: readonly ChangeHead[] },
): Promise<MergedOutcome[]> {
  const reader = openObjectReader(git);
  try {
    const outcomes: MergedOutcome[] = [];
    for (const commit of commits) {
      const told = known.told.get(commit.oid);
      outcomes.push(await planMerged({ git, reader }, commit, { told, candidates: known.candidates }));
    }
    return outcomes;
  } finally {
    await reader.close();
  }
}

async function writeAndPush(
  context: PushContext,
  remote: Remote,
  outcomes: readonly MergedOutcome[],
): Promise<{ readonly pushed: boolean; readonly problems: readonly string[] }> {
  const { git, nowSeconds } = context;
  const edits = new Map<Oid, NoteEdit>();
  for (const outcome of outcomes) {
    const text = noteOf(outcome);
    if (text === undefined) continue;
    // who was first with a note saw more than a pipeline can
    edits.set(outcome.commit, (current) => (current === undefined ? text : undefined));
  }
  if (edits.size > 0) {
    const reader = openObjectReader(git);
    const message = [`Note who wrote the lines of ${edits.size} merged commits`, ...linkLines(outcomes)].join(
      "\n",
    );
    try {
      await updateNotes(git, reader, { ref: notesRef, edits, message, nowSeconds });
    } finally {
      await reader.close();
    }
  }
  const ours = await resolveRevision(git, notesRef);
  const theirs = await resolveRevision(git, `${fetchedPrefix}${notesRef.slice("refs/".length)}`);
  if (ours === undefined || ours === theirs) return { pushed: false, problems: [] };
  const { pushed, problems } = await pushCheckpoints(context, remote, new Map([[notesRef, ours]]));
  return { pushed: pushed.length > 0, problems };
}
