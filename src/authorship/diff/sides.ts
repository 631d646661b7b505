import type { Git } from "../../git/git.ts";
import type { Oid } from "../../git/ids.ts";

/** What one side of a `git diff` shows. */
export type DiffSide =
  | { readonly kind: "commit"; readonly commit: Oid }
  | { readonly kind: "index" | "worktree" };

export interface DiffSides {
  readonly old: DiffSide;
  readonly new: DiffSide;
}

/** The sides that git gives these arguments of `git diff`; undefined where they are not two trees (blobs, `--no-index`). */
export async function readDiffSides(git: Git, args: readonly string[]): Promise<DiffSides | undefined> {
  const separator = args.indexOf("--");
  const options = separator === -1 ? args : args.slice(0, separator);
  if (options.includes("--no-index")) return undefined;
  const cached = options.includes("--cached") || options.includes("--staged");
  const parsed = await git.run(["rev-parse", "--revs-only", ...options, "--"], { okCodes: [0, 128] });
  const words = parsed.stdout.toString("utf8").split("\n");
  const named = words.filter((word) => /^\^?[0-9a-f]{40,64}$/.test(word));
  const excluded = named.filter((word) => word.startsWith("^")).map((word) => word.slice(1));
  const revisions = await commitsOf(git, [...named.filter((word) => !word.startsWith("^")), ...excluded]);
  if (parsed.code !== 0 || revisions === undefined) return undefined;
  const present: DiffSide = { kind: cached ? "index" : "worktree" };
  const [first, second, third] = revisions.map((commit): DiffSide => ({ kind: "commit", commit }));
  // `a...b` is given as a, b and their merge base: the base is the old side
  if (first !== undefined && second !== undefined && third !== undefined) {
    return excluded.length === 1
      ? { old: third, new: await laterOf(git, options, [first, second]) }
      : undefined;
  }
  // `a..b` is given as b and ^a
  if (first !== undefined && second !== undefined) {
    return excluded.length === 1 ? { old: second, new: first } : { old: first, new: second };
  }
  if (first !== undefined) return { old: first, new: present };
  if (!cached) return { old: { kind: "index" }, new: present };
  const [head] = (await commitsOf(git, ["HEAD"])) ?? [];
  return head === undefined ? undefined : { old: { kind: "commit", commit: head }, new: present };
}

/** Of `a...b` the right one: `rev-parse` does not say which of its two ids is which. */
async function laterOf(
  git: Git,
  options: readonly string[],
  pair: readonly [DiffSide, DiffSide],
): Promise<DiffSide> {
  const range = options.find((option) => option.includes("...")) ?? "";
  const right = range.slice(range.indexOf("...") + 3) || "HEAD";
  const [commit] = (await commitsOf(git, [right])) ?? [];
  return commit === undefined ? pair[1] : { kind: "commit", commit };
}

async function commitsOf(git: Git, revisions: readonly string[]): Promise<Oid[] | undefined> {
  if (revisions.length === 0) return [];
  const result = await git.run(["rev-parse", ...revisions.map((revision) => `${revision}^{commit}`)], {
    okCodes: [0, 128],
  });
  return result.code === 0 ? (result.stdout.toString("utf8").trim().split("\n") as Oid[]) : undefined;
}
