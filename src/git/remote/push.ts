import type { Git } from "../git.ts";
import type { Oid } from "../ids.ts";
import { type NetworkOptions, remoteFailure, runOverNetwork } from "./network.ts";
import type { Remote } from "./remote.ts";

export interface RefPush {
  readonly ref: string;
  readonly oid: Oid;
  /**
   * What the ref must hold at the remote, where `oid` is known to contain it although history does not show that.
   * Without it only a step forward from whatever is there is done.
   */
  readonly expected?: Oid;
}

/** `behind`: the remote holds what we do not have; nothing was changed there. */
export type PushOutcome = "done" | "behind" | { readonly refused: string };

export interface PushOptions extends Pick<NetworkOptions, "onProgress" | "idleTimeoutMs"> {
  /** All refs move, or none does. */
  readonly atomic?: boolean;
  /** What the commits are built on came without its files. */
  readonly onTrees?: boolean;
}

/**
 * Moves refs of a remote forward, each by compare-and-swap with what it holds; nothing there is ever overwritten. Hooks
 * of the user are not run: this is called from one.
 * @throws KeyframeError `remote-failed`, `timed-out` if the remote could not be asked at all
 */
export async function pushRefs(
  git: Git,
  remote: Remote,
  pushes: readonly RefPush[],
  { atomic = false, onTrees = false, ...options }: PushOptions = {},
): Promise<Map<string, PushOutcome>> {
  const outcomes = new Map<string, PushOutcome>();
  if (pushes.length === 0) return outcomes;
  const leases = pushes.flatMap(({ ref, expected }) =>
    expected === undefined ? [] : [`--force-with-lease=${ref}:${expected}`],
  );
  const result = await runOverNetwork(
    git,
    remote,
    [
      ...(onTrees ? wholeDiff : []),
      "push",
      ...(onTrees ? ["--no-thin"] : []),
      "--porcelain",
      "--progress",
      "--no-verify",
      "--no-follow-tags",
      "--no-signed",
      ...leases,
      ...(atomic ? ["--atomic"] : []),
      "--",
      remote.pushUrl,
      ...pushes.map(({ ref, oid }) => `${oid}:${ref}`),
    ],
    options,
  );
  for (const line of result.stdout.split("\n")) {
    const [flag, names, summary = ""] = line.split("\t");
    const ref = names?.slice(names.indexOf(":") + 1);
    if (flag === undefined || ref === undefined) continue;
    outcomes.set(ref, flag === "!" ? readRejection(summary) : "done");
  }
  if (outcomes.size === 0) {
    throw remoteFailure(remote, `cannot push ${pushes[0]?.ref ?? "anything"}`, result.stderr);
  }
  for (const { ref } of pushes) if (!outcomes.has(ref)) outcomes.set(ref, { refused: "no answer for it" });
  return outcomes;
}

/**
 * Takes refs away from a remote, each only while it holds what is expected. Returns why one was refused, by ref.
 * @throws KeyframeError `remote-failed`, `timed-out` if the remote could not be asked at all
 */
export async function deleteRemoteRefs(
  git: Git,
  remote: Remote,
  refs: readonly { readonly ref: string; readonly oid: Oid }[],
  options: Pick<PushOptions, "onProgress" | "idleTimeoutMs"> = {},
): Promise<Map<string, string>> {
  const refused = new Map<string, string>();
  if (refs.length === 0) return refused;
  const leases = refs.map(({ ref, oid }) => `--force-with-lease=${ref}:${oid}`);
  const args = ["push", "--porcelain", "--progress", "--no-verify", ...leases, "--", remote.pushUrl];
  const result = await runOverNetwork(git, remote, [...args, ...refs.map(({ ref }) => `:${ref}`)], options);
  let answered = 0;
  for (const line of result.stdout.split("\n")) {
    const [flag, names, summary = ""] = line.split("\t");
    if (names === undefined) continue;
    answered += 1;
    if (flag === "!") refused.set(names.slice(names.indexOf(":") + 1), summary);
  }
  if (answered === 0)
    throw remoteFailure(remote, `cannot delete ${refs[0]?.ref ?? "anything"}`, result.stderr);
  return refused;
}

/**
 * Every tree of the remote's commit is compared, not only those on the way to what is new: a file that lies elsewhere there
 * would be sent again, and it is not here. For the same reason nothing is sent as a difference to it.
 */
const wholeDiff = ["-c", "pack.useSparse=false"];

function readRejection(summary: string): PushOutcome {
  // in an atomic push the others fail with the one that is behind
  const isRace =
    summary.startsWith("[rejected]") ||
    /cannot lock ref|failed to update ref|incorrect old value|already exists|atomic|transaction/i.test(
      summary,
    );
  return isRace ? "behind" : { refused: summary };
}
