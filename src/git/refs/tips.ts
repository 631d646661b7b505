import { isOid, type Oid } from "../ids.ts";

/*
 * Branches in which tools keep records, Keyframe and Entire their checkpoints: `entire/...`, of which `entire/checkpoints/...`
 * and `entire/sessions` come to remotes. Nobody works there, so their commits have no owners and are no source of any.
 */

/** Arguments that list the tips of branches and of `further` refs, the latest first; for `parseTips`. */
export function tipsArguments(most?: number, ...further: readonly string[]): readonly string[] {
  const limit = most === undefined ? [] : [`--count=${most}`];
  const order = ["--sort=-committerdate", ...limit, "--format=%(objectname) %(refname)"];
  return ["for-each-ref", ...order, "refs/heads", "refs/remotes", ...further];
}

/** What those arguments print, without the branches of records. */
export function parseTips(output: string): Oid[] {
  return output.split("\n").flatMap((line) => {
    const [oid = "", ref = ""] = line.split(" ");
    return isOid(oid) && !isRecordRef(ref) ? [oid] : [];
  });
}

/**
 * Arguments of `git log` and `git rev-list` for the commits of branches but those of records. git compares a pattern with
 * what follows `refs/heads/`, and a star matches slashes too.
 */
export const workBranches: readonly string[] = ["--exclude=entire/*", "--branches"];

/** The same of remotes' branches. */
export const workRemoteBranches: readonly string[] = [
  "--exclude=*/entire/checkpoints/*",
  "--exclude=*/entire/sessions",
  "--remotes",
];

/** True for a branch of records, here or at a remote. */
export function isRecordRef(ref: string): boolean {
  return /^refs\/(?:heads\/entire\/|remotes\/.+\/entire\/(?:checkpoints\/|sessions$))/.test(ref);
}
