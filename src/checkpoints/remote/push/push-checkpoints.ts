import { notesRef } from "../../../authorship/note/notes-ref.ts";
import { errorText, KeyframeError } from "../../../base/errors.ts";
import { borrowFetched } from "../../../git/fetched-objects.ts";
import type { Git } from "../../../git/git.ts";
import type { Oid } from "../../../git/ids.ts";
import { resolveRevision } from "../../../git/refs/refs.ts";
import { type PushOutcome, pushRefs, type RefPush } from "../../../git/remote/push.ts";
import { openQuarantine } from "../../../git/remote/quarantine.ts";
import type { Remote } from "../../../git/remote/remote.ts";
import type { Clock } from "../../../system/clock.ts";
import { fault } from "../../../system/fault.ts";
import { idOfCheckpointRef } from "../../record/ids.ts";
import { nothingRemoved, removedRef } from "../../record/removed.ts";
import { readStoreRefs, v1Branch, v2FullPrefix, v2Main } from "../../stores/layout-refs.ts";
import { fetchCheckpointTips, healRepository, remember, type SyncContext } from "../fetch/fetch-tips.ts";
import { joinRemote } from "../join/join-remote.ts";
import { fetchAndMergeNotes } from "../join/merge-notes.ts";
import { pushInChunks } from "../push-chunks.ts";
import {
  type PushedRef,
  readChunkMemory,
  readPushed,
  writeChunkMemory,
  writePushed,
} from "../remote-state.ts";
import { readRemoved } from "../removed-list.ts";
import { type Group, groupOf } from "./find-unpushed.ts";

export interface PushContext extends SyncContext {
  readonly clock: Pick<Clock, "monotonicMs">;
  /** What is not begun by then waits for the next push; no limit by default. What is under way is never cut off. */
  readonly budgetMs?: number;
  /** Unix seconds. */
  readonly nowSeconds: number;
}

export interface PushReport {
  /** Refs that the remote holds now as we do, or joined with the work of others. */
  readonly pushed: readonly string[];
  /** Refs of those where others had been first. */
  readonly joined: readonly string[];
  /** What was not pushed, and why. */
  readonly problems: readonly string[];
}

/** How often a push starts again after others were first. */
const maxRounds = 8;

/**
 * Brings notes and checkpoints to a remote. Where others were first, their work and ours are joined and pushed again;
 * nothing at the remote is overwritten, and no local branch moves. What cannot be pushed is a problem of its own and
 * holds up nothing else.
 * @throws KeyframeError `remote-failed`, `timed-out` if the remote cannot be reached
 */
export async function pushCheckpoints(
  context: PushContext,
  remote: Remote,
  unpushed: ReadonlyMap<string, Oid>,
): Promise<PushReport> {
  const report = { pushed: [] as string[], joined: [] as string[], problems: [] as string[] };
  const deadlineMs =
    context.budgetMs === undefined ? undefined : context.clock.monotonicMs() + context.budgetMs;
  if (unpushed.size > 0) await healRepository(context);
  for (const group of ["refs", "v2", "v1", "notes"] as const) {
    const refs = new Map([...unpushed].filter(([ref]) => groupOf(ref) === group));
    if (refs.size === 0) continue;
    try {
      await context.trace.span(group, () => pushGroup(context, remote, { group, refs, report, deadlineMs }));
    } catch (error) {
      if (!(error instanceof KeyframeError) || error.code === "remote-failed" || error.code === "timed-out")
        throw error;
      report.problems.push(errorText(error));
    }
  }
  return report;
}

interface GroupPush {
  readonly group: Group;
  readonly refs: ReadonlyMap<string, Oid>;
  readonly report: { readonly pushed: string[]; readonly joined: string[]; readonly problems: string[] };
  readonly deadlineMs: number | undefined;
}

async function pushGroup(
  context: PushContext,
  remote: Remote,
  { group, refs, report, deadlineMs }: GroupPush,
): Promise<void> {
  const place = { repository: context.git.repository, files: context.files };
  let left = new Map(refs);
  const record = (attempt: Attempt, done: ReadonlyMap<string, PushedRef>) => {
    attempt.keep([...done.keys()]);
    // while something could not be joined, the next push must look at the same difference again
    if (attempt.problems.length === 0)
      writePushed(place, remote, new Map([...readPushed(place, remote), ...done]));
  };
  for (let round = 0; round < maxRounds; round += 1) {
    const isJoin = round > 0;
    const attempt = isJoin
      ? await rejoin(context, remote, { group, refs: left })
      : await firstAttempt(context, remote, { group, refs });
    try {
      report.problems.push(...attempt.problems);
      let behind = false;
      const take = (outcomes: ReadonlyMap<string, PushOutcome>) => {
        const done = new Map<string, PushedRef>();
        for (const [ref, outcome] of outcomes) {
          const local = left.get(ref);
          const oid = attempt.pushes.find((push) => push.ref === ref)?.oid;
          if (outcome === "behind") behind = true;
          if (outcome === "behind" || oid === undefined) continue;
          if (outcome === "done") {
            report.pushed.push(ref);
            if (isJoin && oid !== local) report.joined.push(ref);
            if (local !== undefined) done.set(ref, { local, remote: oid });
          } else report.problems.push(describeRefusal(ref, remote, outcome.refused));
          left.delete(ref);
        }
        record(attempt, done);
      };
      fault("push:before-push");
      const late = await pushAll(context, remote, { attempt, group, deadlineMs, take });
      for (const { ref } of late) left.delete(ref);
      if (late.length > 0) {
        context.note(`${late.length} checkpoints go with the next push: ${remote.name} takes its time`);
      }
      // an archive that went into the remote's current generation is there, under another name
      if (isJoin && !behind) {
        record(attempt, new Map([...left].map(([ref, local]) => [ref, { local, remote: local }])));
        left = new Map();
      }
      if (left.size === 0) return;
    } finally {
      attempt.close();
    }
  }
  report.problems.push(`${[...left.keys()][0]} kept moving at ${remote.name}: run \`keyframe push\` again`);
}

/** A host that protects branches says no to checkpoints for good: what helps is another place for them. */
export function describeRefusal(ref: string, { name }: Pick<Remote, "name">, why: string): string {
  const isRule = /protect|declined|denied|not allowed|permission|GH\d{3}|prohibited/i.test(why);
  const remedy =
    ref === v1Branch
      ? "let its rules except entire/checkpoints/v1, keep checkpoints at another remote (`git config keyframe.remote <name>`), or on refs that are no branches (`keyframe migrate --to refs`)"
      : "let its rules except it, or keep checkpoints at another remote (`git config keyframe.remote <name>`)";
  return `${ref} was refused by ${name}: ${why}${isRule ? `; ${remedy}` : ""}`;
}

/** What is to be pushed, and the git directory that has it whole. */
interface Attempt {
  readonly git: Git;
  readonly pushes: readonly RefPush[];
  readonly problems: readonly string[];
  /** True if the remote's commits came without their files. */
  readonly onTrees: boolean;
  /** Some refs are at the remote now: what was made for them is what it has. */
  keep(refs: readonly string[]): void;
  close(): void;
}

/** What is tried without having looked at the remote. */
async function firstAttempt(
  context: PushContext,
  remote: Remote,
  what: Pick<GroupPush, "group" | "refs">,
): Promise<Attempt> {
  return inRepository(context, await firstPushes(context, remote, what));
}

function inRepository(
  { git }: PushContext,
  pushes: readonly RefPush[],
  problems: readonly string[] = [],
): Attempt {
  return { git, pushes, problems, onTrees: false, keep: () => undefined, close: () => undefined };
}

async function firstPushes(
  context: PushContext,
  remote: Remote,
  { group, refs }: Pick<GroupPush, "group" | "refs">,
): Promise<readonly RefPush[]> {
  const all = [...refs].map(([ref, oid]): RefPush => ({ ref, oid }));
  const removed =
    group === "refs" ? await readRemoved(borrowFetched(context.git, context.files)) : nothingRemoved;
  // a ref that was deleted at the remote would simply be made again
  const pushes = all.filter(({ ref }) => {
    const id = idOfCheckpointRef(ref);
    return id === undefined || !removed.checkpoints.has(id);
  });
  if (group !== "v2") return pushes;
  // after an archive was cut off, the current generation begins anew: the archive holds what the remote's one holds
  const pushed = readPushed({ repository: context.git.repository, files: context.files }, remote);
  const archives = pushes.filter(({ ref }) => /\/\d{13}$/.test(ref));
  return Promise.all(
    pushes.map(async (push) => {
      const before = pushed.get(push.ref)?.remote;
      if (before === undefined || !push.ref.endsWith("/current")) return push;
      for (const { oid } of archives) {
        const held = await context.git.run(["merge-base", "--is-ancestor", before, oid], {
          okCodes: [0, 1, 128],
        });
        if (held.code === 0) return { ...push, expected: before };
      }
      return push;
    }),
  );
}

/** Looks at the remote and makes commits of both sides' work. */
async function rejoin(
  context: PushContext,
  remote: Remote,
  { group, refs }: Pick<GroupPush, "group" | "refs">,
): Promise<Attempt> {
  fault("push:before-join");
  const { git } = context;
  if (group === "notes") {
    const { problems } = await fetchAndMergeNotes(context, remote, context.nowSeconds);
    const oid = await resolveRevision(git, notesRef);
    return inRepository(context, oid === undefined ? [] : [{ ref: notesRef, oid }], problems);
  }
  const stores = group === "v2" ? [v2Main, `${v2FullPrefix}*`] : [...refs.keys()];
  const patterns = [...stores, removedRef];
  const { remote: fetched } = await fetchCheckpointTips(context, remote, patterns);
  const place = { repository: git.repository, files: context.files };
  const belongs = (ref: string) => groupOf(ref) === group;
  const theirs = fetched.tips.filter(({ ref }) => belongs(ref) && (group === "v2" || refs.has(ref)));
  // never in the repository: what is built on commits without history and files would break git's own walks
  const haves = theirs.map(({ oid, whole }) => ({ oid, treesOnly: !whole }));
  const quarantine = await openQuarantine(git, context, haves);
  try {
    const joined = await joinRemote(context, remote, {
      workplace: quarantine.git,
      kind: group,
      ours: group === "v2" ? await readV2Refs(git) : refs,
      theirs,
      pushed: new Map([...readPushed(place, remote)].filter(([ref]) => belongs(ref))),
      nowSeconds: context.nowSeconds,
      removed: await readRemoved(quarantine.git, fetched.tips),
    });
    const whole = new Set(theirs.flatMap((tip) => (tip.whole ? [tip.ref] : [])));
    return {
      ...joined,
      git: quarantine.git,
      onTrees: true,
      keep(done) {
        const tips = joined.pushes.filter(({ ref }) => done.includes(ref) && !whole.has(ref));
        if (tips.length === 0) return;
        quarantine.adopt();
        remember(context, remote, {
          patterns: tips.map(({ ref }) => ref),
          tips: tips.map(({ ref, oid }) => ({ ref, oid, whole: false })),
        });
      },
      close: () => quarantine.close(),
    };
  } catch (error) {
    quarantine.close();
    throw error;
  }
}

/** All of them, because a checkpoint of v2 is in two refs. */
async function readV2Refs(git: Git): Promise<Map<string, Oid>> {
  const { v2Main: main, v2Current: current, v2Archives } = await readStoreRefs(git);
  const refs = [main, current, ...v2Archives].filter((at) => at !== undefined);
  return new Map(refs.map(({ ref, oid }) => [ref, oid]));
}

interface AllPushes extends Pick<GroupPush, "group" | "deadlineMs"> {
  readonly attempt: Attempt;
  readonly take: (outcomes: ReadonlyMap<string, PushOutcome>) => void;
}

/** What there was no time for. */
async function pushAll(
  context: PushContext,
  remote: Remote,
  { attempt, group, deadlineMs, take }: AllPushes,
): Promise<readonly RefPush[]> {
  const { git, pushes, onTrees } = attempt;
  const options = {
    atomic: group === "v2",
    onTrees,
    ...(context.onProgress === undefined ? {} : { onProgress: context.onProgress }),
    ...(context.idleTimeoutMs === undefined ? {} : { idleTimeoutMs: context.idleTimeoutMs }),
  };
  const takeAndGo = (outcomes: ReadonlyMap<string, PushOutcome>) => {
    fault("push:after-push-before-record");
    take(outcomes);
  };
  // the refs of one store move together, or there is only one
  if (group !== "refs") {
    takeAndGo(await pushRefs(git, remote, pushes, options));
    return [];
  }
  const place = { repository: context.git.repository, files: context.files };
  const { memory, left } = await pushInChunks({
    pushes,
    memory: readChunkMemory(place, remote),
    clock: context.clock,
    deadlineMs,
    push: (chunk) => pushRefs(git, remote, chunk, options),
    take: takeAndGo,
  });
  writeChunkMemory(place, remote, memory);
  return left;
}
