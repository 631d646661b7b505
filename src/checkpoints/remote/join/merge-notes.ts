import { encodeAuthorshipLog, parseAuthorshipLog } from "../../../authorship/note/log-codec.ts";
import { mergeAuthorshipLogs } from "../../../authorship/note/log-merge.ts";
import { notesRef } from "../../../authorship/note/notes-ref.ts";
import { errorText } from "../../../base/errors.ts";
import type { Git } from "../../../git/git.ts";
import { committerIdentity } from "../../../git/identity.ts";
import type { Oid } from "../../../git/ids.ts";
import { openBulkWriter, type PathChange, readObjectFormat } from "../../../git/objects/bulk-writer.ts";
import { readSmallObjects } from "../../../git/objects/small-objects.ts";
import { listNotes, noteSpellings } from "../../../git/refs/notes.ts";
import { resolveRevision, updateRefs } from "../../../git/refs/refs.ts";
import { fetchRef } from "../../../git/remote/fetch.ts";
import type { Remote } from "../../../git/remote/remote.ts";
import { fault } from "../../../system/fault.ts";
import { retryUntilFirst } from "../../stores/commit-targets.ts";
import type { SyncContext } from "../fetch/fetch-tips.ts";

export interface NotesReport {
  /** What the remote held; undefined: it has no notes. */
  readonly remoteTip: Oid | undefined;
  /** Notes that are different here than before. */
  readonly changed: number;
  /** Notes that could not be joined: ours stays where it can be read, and the other one is in the history. */
  readonly problems: readonly string[];
}

const maxNoteBytes = 16 * 1024 * 1024;

/**
 * Fetches a remote's notes into `refs/notes/ai-remote/<remote>` and joins them into ours, line by line: what only one
 * side says stays, and where both name an owner of a line, ours does.
 * @throws KeyframeError as `fetchRef`; `lock-busy`
 */
export async function fetchAndMergeNotes(
  context: SyncContext,
  remote: Remote,
  nowSeconds: number,
): Promise<NotesReport> {
  const into = `refs/notes/ai-remote/${remote.configured ? remote.name : remote.key}`;
  const remoteTip = await fetchRef(context, remote, { ref: notesRef, into });
  if (remoteTip === undefined) return { remoteTip, changed: 0, problems: [] };
  fault("fetch:before-notes-merge");
  return { remoteTip, ...(await mergeNotes(context.git, remoteTip, nowSeconds)) };
}

/** Joins the notes of a commit into ours, by compare-and-swap. */
export async function mergeNotes(
  git: Git,
  theirs: Oid,
  nowSeconds: number,
): Promise<Pick<NotesReport, "changed" | "problems">> {
  return retryUntilFirst(notesRef, async () => {
    const ours = await resolveRevision(git, notesRef);
    if (ours !== undefined && (await isAncestor(git, theirs, ours))) return { changed: 0, problems: [] };
    if (ours === undefined || (await isAncestor(git, ours, theirs))) {
      const changed = await countDifferences(git, ours, theirs);
      const moved = await move(git, ours, theirs);
      return moved ? { changed, problems: [] } : undefined;
    }
    const plan = await planMerge(git, ours, theirs);
    const merged = await writeMerge(git, plan, { parents: [ours, theirs], nowSeconds });
    fault("fetch:before-notes-ref");
    if (!(await move(git, ours, merged))) return undefined;
    return { changed: plan.texts.size + plan.taken.size + plan.dropped.length, problems: plan.problems };
  });
}

interface NotesMerge {
  readonly texts: ReadonlyMap<Oid, string>;
  readonly taken: ReadonlyMap<Oid, Oid>;
  readonly dropped: readonly Oid[];
  readonly problems: readonly string[];
}

async function planMerge(git: Git, ours: Oid, theirs: Oid): Promise<NotesMerge> {
  const found = await git.run(["merge-base", ours, theirs], { okCodes: [0, 1] });
  const base = found.stdout.toString("latin1").trim().split("\n")[0];
  const [own, their, old] = await Promise.all([
    listNotes(git, ours),
    listNotes(git, theirs),
    base === undefined || base === "" ? new Map<Oid, Oid>() : listNotes(git, base),
  ]);
  const taken = new Map<Oid, Oid>();
  const dropped: Oid[] = [];
  const differing: { readonly commit: Oid; readonly own: Oid; readonly their: Oid }[] = [];
  for (const [commit, blob] of their) {
    const mine = own.get(commit);
    const before = old.get(commit);
    if (mine === blob || before === blob) continue;
    if (mine === undefined || before === mine) taken.set(commit, blob);
    else differing.push({ commit, own: mine, their: blob });
  }
  for (const [commit, before] of old) {
    if (!their.has(commit) && own.get(commit) === before) dropped.push(commit);
  }
  const contents = await readSmallObjects(
    git,
    differing.flatMap((pair) => [pair.own, pair.their]),
    maxNoteBytes,
  );
  const texts = new Map<Oid, string>();
  const problems: string[] = [];
  for (const pair of differing) {
    const joined = joinNotes(contents.get(pair.own), contents.get(pair.their));
    if ("text" in joined) texts.set(pair.commit, joined.text);
    else {
      // what somebody pushed takes the place of nothing that we hold
      const isOurs = Buffer.isBuffer(contents.get(pair.own));
      if (!isOurs) taken.set(pair.commit, pair.their);
      const stays = isOurs ? "stays as it is here" : "is the remote's";
      problems.push(`the note of ${pair.commit.slice(0, 12)} ${stays}: ${joined.problem}`);
    }
  }
  return { texts, taken, dropped, problems };
}

function joinNotes(
  own: Buffer | "missing" | "oversized" | undefined,
  their: Buffer | "missing" | "oversized" | undefined,
): { readonly text: string } | { readonly problem: string } {
  if (!Buffer.isBuffer(own) || !Buffer.isBuffer(their)) return { problem: "one of the two cannot be read" };
  try {
    const [ourNote, theirNote] = [parseAuthorshipLog(own), parseAuthorshipLog(their)];
    if (!ourNote.rewritable || !theirNote.rewritable)
      return { problem: "one of the two is of a kind that must not be rewritten" };
    return { text: encodeAuthorshipLog(mergeAuthorshipLogs(theirNote.log, ourNote.log)) };
  } catch (error) {
    return { problem: errorText(error) };
  }
}

async function writeMerge(
  git: Git,
  { texts, taken, dropped }: NotesMerge,
  { parents, nowSeconds }: { readonly parents: readonly Oid[]; readonly nowSeconds: number },
): Promise<Oid | undefined> {
  const writer = openBulkWriter(git, await readObjectFormat(git));
  const blobs = new Map(taken);
  for (const [commit, text] of texts) blobs.set(commit, await writer.blob(Buffer.from(text)));
  const changes: PathChange[] = [];
  for (const commit of [...dropped, ...blobs.keys()]) {
    const oid = blobs.get(commit);
    const [flat, nested, deep] = noteSpellings(commit);
    for (const path of [flat, nested, deep]) changes.push({ kind: "delete", path });
    if (oid !== undefined) changes.push({ kind: "blob", path: nested, oid });
  }
  const mark = await writer.commit({
    parents,
    changes,
    message: "Merge the notes of a remote",
    identity: await committerIdentity(git),
    atSeconds: nowSeconds,
  });
  return (await writer.finish()).get(mark);
}

async function countDifferences(git: Git, ours: Oid | undefined, theirs: Oid): Promise<number> {
  const own = ours === undefined ? new Map<Oid, Oid>() : await listNotes(git, ours);
  return [...(await listNotes(git, theirs))].filter(([commit, blob]) => own.get(commit) !== blob).length;
}

async function isAncestor(git: Git, ancestor: Oid, of: Oid): Promise<boolean> {
  return (await git.run(["merge-base", "--is-ancestor", ancestor, of], { okCodes: [0, 1] })).code === 0;
}

function move(git: Git, expected: Oid | undefined, next: Oid | undefined): Promise<boolean> {
  return updateRefs(git, [{ ref: notesRef, expected, next }], "keyframe: notes of a remote");
}
