import { KeyframeError } from "../../base/errors.ts";
import type { Git } from "../git.ts";
import type { Oid } from "../ids.ts";

/** A move of HEAD that `git checkout` can do. */
export type Checkout =
  | { readonly kind: "branch"; readonly name: string }
  /** A branch that only the remote has; made here, with the remote's as its upstream where it has a tracking ref. */
  | { readonly kind: "new-branch"; readonly name: string; readonly start: string; readonly track: boolean }
  | { readonly kind: "commit"; readonly oid: Oid };

export function describeCheckout(checkout: Checkout): string {
  if (checkout.kind === "commit") return `commit ${checkout.oid.slice(0, 12)} (detached)`;
  return checkout.kind === "branch" ? `branch ${checkout.name}` : `new branch ${checkout.name}`;
}

/** @throws KeyframeError `refused` where uncommitted changes of tracked files could be mixed up with another commit */
export async function mustBeClean(git: Git): Promise<void> {
  const { stdout } = await git.run([
    "status",
    "--porcelain=v1",
    "-z",
    "--untracked-files=no",
    "--ignore-submodules=all",
  ]);
  const changed = stdout
    .toString("utf8")
    .split("\0")
    .filter((line) => line !== "");
  if (changed.length === 0) return;
  throw new KeyframeError(
    "refused",
    `you have uncommitted changes (${changed.length} files, such as ${changed[0]?.slice(3)})`,
    { hint: "commit or stash them first; nothing was touched" },
  );
}

/**
 * Moves HEAD, index and files. Untracked and ignored files are never written over: git refuses then.
 * @throws KeyframeError `refused` with git's reason
 */
export async function checkOut(git: Git, checkout: Checkout): Promise<void> {
  const args =
    checkout.kind === "branch"
      ? [checkout.name]
      : checkout.kind === "commit"
        ? ["--detach", checkout.oid]
        : ["--no-track", "-b", checkout.name, checkout.start];
  const result = await git.run(["checkout", "--quiet", "--no-overwrite-ignore", ...args, "--"], {
    okCodes: [0, 1, 128],
  });
  if (result.code !== 0) {
    throw new KeyframeError(
      "refused",
      `git cannot check out ${describeCheckout(checkout)}: ${result.stderr.trim().slice(0, 600)}`,
      { hint: "move what is in the way; nothing was changed" },
    );
  }
  if (checkout.kind === "new-branch" && checkout.track) {
    // in a step of its own: where the remote's branches are not followed git fails, half way if it were one
    await git.run(["branch", "--quiet", `--set-upstream-to=${checkout.start}`, checkout.name], {
      okCodes: [0, 1, 128],
    });
  }
}
