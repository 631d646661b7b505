import type { Git } from "../../git/git.ts";
import { isOid, type Oid } from "../../git/ids.ts";

/** A commit as settling in a pipeline needs it. */
export interface MergedCommit {
  readonly oid: Oid;
  readonly parents: readonly Oid[];
  /** Author, author's date and subject: what a rebase keeps and a squash does not. */
  readonly identity: string;
  readonly message: string;
}

/** New commits that are looked at in one run. */
const maxNewCommits = 300;
/** Where nobody tells what was pushed, this many of the newest are looked at: those with a note are left out anyway. */
const untoldCommits = 50;
/** Commits of one change. */
const maxChangeCommits = 1000;

/** The commits that arrived on a branch, along its first parents, oldest first. */
export async function listNewCommits(
  git: Git,
  { before, after }: { readonly before: Oid | undefined; readonly after: Oid },
): Promise<MergedCommit[]> {
  const known = before !== undefined && (await isAncestor(git, before, after)) ? before : undefined;
  const range =
    known === undefined ? [`-${untoldCommits}`, after] : [`-${maxNewCommits}`, after, `^${known}`];
  return readCommits(git, ["--first-parent", "--reverse", ...range]);
}

/** What a change brought, newest first: the commits of its branch that the base did not have. */
export function listChangeCommits(
  git: Git,
  { head, base }: { readonly head: Oid; readonly base: Oid | undefined },
): Promise<MergedCommit[]> {
  const exclude = base === undefined ? [] : [`^${base}`];
  return readCommits(git, ["--topo-order", `-${maxChangeCommits}`, head, ...exclude]);
}

export async function readCommits(git: Git, args: readonly string[]): Promise<MergedCommit[]> {
  const format = "--format=%H%x00%P%x00%an <%ae> %at%x00%B%x00%x1e";
  const text = await git.text(["log", "--no-show-signature", format, ...args, "--"]);
  return text.split("\0\x1e").flatMap((record) => {
    const [oid = "", parents = "", author = "", message = ""] = record.trimStart().split("\0");
    if (!isOid(oid)) return [];
    const identity = `${author}\0${message.split("\n")[0] ?? ""}`;
    return [{ oid, parents: parents.split(" ").filter(isOid), identity, message }];
  });
}

export async function isAncestor(git: Git, ancestor: Oid, of: Oid): Promise<boolean> {
  const result = await git.run(["merge-base", "--is-ancestor", ancestor, of], { okCodes: [0, 1, 128] });
  return result.code === 0;
}

/** Verbatim patch ids, white space included: equal ones mean the same change. Merges and empty commits have none. */
export async function readPatchIds(git: Git, commits: readonly Oid[]): Promise<ReadonlyMap<Oid, string>> {
  if (commits.length === 0) return new Map();
  const patches = await git.run(["diff-tree", "--stdin", "-r", "-p", "--root", ...plainPatch], {
    stdin: `${commits.join("\n")}\n`,
  });
  return parsePatchIds(await patchIds(git, patches.stdout));
}

/** The same of everything between two commits. */
export async function readChangePatchId(git: Git, from: Oid, to: Oid): Promise<string | undefined> {
  const patch = await git.run(["diff-tree", "-r", "-p", ...plainPatch, from, to]);
  return (await patchIds(git, patch.stdout)).split(" ")[0] || undefined;
}

const plainPatch = ["--no-color", "--no-ext-diff", "--no-textconv", "--full-index", "-M"];

async function patchIds(git: Git, patch: Buffer): Promise<string> {
  return patch.length === 0 ? "" : git.text(["patch-id", "--verbatim"], { stdin: patch });
}

function parsePatchIds(text: string): Map<Oid, string> {
  const ids = new Map<Oid, string>();
  for (const line of text.split("\n")) {
    const [id = "", commit = ""] = line.split(" ");
    if (isOid(commit)) ids.set(commit, id);
  }
  return ids;
}
