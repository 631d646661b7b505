import { KeyframeError } from "../../base/errors.ts";
import { type Git, gitFailed } from "../git.ts";
import { isOid, nullOidLike, type Oid } from "../ids.ts";

/** Object id of a revision expression, or undefined. */
export async function resolveRevision(git: Git, revision: string): Promise<Oid | undefined> {
  const result = await git.run(["rev-parse", "--verify", "--quiet", "--end-of-options", revision], {
    okCodes: [0, 1, 128],
  });
  // older git echoes the separator
  const oid = result.stdout.toString("utf8").trim().split("\n").at(-1) ?? "";
  return result.code === 0 && isOid(oid) ? oid : undefined;
}

/** The commit that a revision names. @throws KeyframeError `not-found` */
export async function mustResolveCommit(git: Git, revision: string): Promise<Oid> {
  const oid = await resolveRevision(git, `${revision}^{commit}`);
  if (oid === undefined) {
    throw new KeyframeError("not-found", `${revision} does not name a commit here`, {
      hint: "see `git log --oneline --all`, or fetch it first",
    });
  }
  return oid;
}

export interface RefUpdate {
  readonly ref: string;
  /** Undefined deletes the ref. */
  readonly next: Oid | undefined;
  /** What the ref must hold now; undefined: it must not exist. */
  readonly expected: Oid | undefined;
}

/**
 * Moves refs together by compare-and-swap: all or none. False if another writer was first (or holds the lock);
 * nothing has changed then.
 */
export async function updateRefs(git: Git, updates: readonly RefUpdate[], message: string): Promise<boolean> {
  const like = updates.map((update) => update.next ?? update.expected).find((oid) => oid !== undefined);
  if (like === undefined) return true;
  const zero = nullOidLike(like);
  const script = updates
    .map(({ ref, next, expected }) =>
      next === undefined
        ? `delete ${ref}\0${expected ?? zero}\0`
        : `update ${ref}\0${next}\0${expected ?? zero}\0`,
    )
    .join("");
  const args = ["update-ref", "-m", message, "--stdin", "-z"];
  // a ref that moved must not move back with the power
  const result = await git.run(["-c", "core.fsync=reference", ...args], {
    stdin: `start\0${script}commit\0`,
    okCodes: [0, 1, 128],
  });
  if (result.code === 0) return true;
  if (
    /but expected|reference already exists|unable to resolve reference|File exists|cannot lock ref/.test(
      result.stderr,
    )
  ) {
    return false;
  }
  throw gitFailed(args, result);
}
