import { type Git, gitFailed } from "../../git/git.ts";
import type { Oid } from "../../git/ids.ts";

export interface ListedCommit {
  readonly commit: Oid;
  readonly parents: readonly Oid[];
  /** `Name <email>` of the author. */
  readonly author: string;
}

/** The commits of a range (or, `alone`, just those named) in an order where each comes after its parents. */
export async function listCommits(
  git: Git,
  revisions: readonly string[],
  options: { readonly alone?: boolean; readonly since?: string } = {},
): Promise<ListedCommit[]> {
  const args = [
    "rev-list",
    ...(options.alone ? ["--no-walk"] : []),
    ...(options.since === undefined ? [] : [`--since=${options.since}`]),
    "--topo-order",
    "--reverse",
    "--format=%P%x09%an <%ae>",
    "--end-of-options",
    ...revisions,
    "--",
  ];
  const result = await git.run(args, { okCodes: [0, 128] });
  if (result.code !== 0) throw gitFailed(args, result);
  const lines = result.stdout.toString("utf8").split("\n");
  const commits: ListedCommit[] = [];
  for (let index = 0; index + 1 < lines.length; index += 2) {
    const commit = (lines[index] ?? "").replace(/^commit /, "") as Oid;
    const [parents = "", author = ""] = (lines[index + 1] ?? "").split("\t");
    commits.push({ commit, parents: parents.split(" ").filter((parent) => parent !== "") as Oid[], author });
  }
  return commits;
}
