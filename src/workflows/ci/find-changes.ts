import type { Git } from "../../git/git.ts";
import { isOid, type Oid } from "../../git/ids.ts";
import { runOverNetwork } from "../../git/remote/network.ts";
import type { Remote } from "../../git/remote/remote.ts";
import type { HttpClient } from "../../system/net/http.ts";
import { askForChange } from "./forge-api.ts";
import type { MergedCommit } from "./merged-commits.ts";
import { changeOfMessage, changeRefPattern, type ForgeApi, type ToldChange } from "./pipeline.ts";

/** How it is known which change a commit was made from. */
export type ChangeEvidence = "api" | "message" | "same change";

/** Of changes that nobody names, the newest so many are compared with a commit. */
const maxCandidates = 50;

/** What services and messages tell, by commit; the service's word counts more. */
export async function findToldChanges(
  commits: readonly MergedCommit[],
  {
    api,
    client,
    note,
  }: {
    readonly api: ForgeApi | undefined;
    readonly client: HttpClient;
    readonly note: (text: string) => void;
  },
): Promise<ReadonlyMap<Oid, ToldChange & { readonly evidence: ChangeEvidence }>> {
  const told = new Map<Oid, ToldChange & { readonly evidence: ChangeEvidence }>();
  let isAsked = api !== undefined;
  for (const { oid, message } of commits) {
    const answer = isAsked && api !== undefined ? await askForChange(client, api, oid) : {};
    if (answer.problem !== undefined) {
      note(`${answer.problem}; refs and messages are used instead`);
      isAsked = false;
    }
    const change = changeOfMessage(message);
    if (answer.told !== undefined) told.set(oid, { ...answer.told, evidence: "api" });
    else if (change !== undefined) told.set(oid, { change, head: undefined, evidence: "message" });
  }
  return told;
}

/** The newest changes that the remote keeps refs of, newest first: one request, and no objects. */
export async function listChangeRefs(git: Git, remote: Remote): Promise<string[]> {
  const patterns = ["refs/pull/*/head", "refs/merge-requests/*/head"];
  const result = await runOverNetwork(git, remote, ["ls-remote", "--", remote.fetchUrl, ...patterns]);
  const refs = result.stdout.split("\n").flatMap((line) => {
    const [oid = "", ref = ""] = line.split("\t");
    return isOid(oid) && changeRefPattern.test(ref) ? [ref] : [];
  });
  return refs.sort((a, b) => changeNumber(b) - changeNumber(a)).slice(0, maxCandidates);
}

export function changeNumber(ref: string): number {
  return Number(changeRefPattern.exec(ref)?.[2] ?? 0);
}
