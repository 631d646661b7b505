import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { KeyframeError } from "../../base/errors.ts";
import { shellQuote } from "../../base/text/shell-words.ts";
import { type Git, gitFailed } from "../../git/git.ts";
import { committerIdentity } from "../../git/identity.ts";
import { isOid, type Oid } from "../../git/ids.ts";
import type { GuestChannel } from "../../sandbox/guest/channel.ts";
import { copyIn } from "../../sandbox/guest/copy-files.ts";
import type { SandboxContext } from "../../sandbox/store/home.ts";
import { listIncluded } from "../../timeline/fork/personal-files.ts";
import { type MachineRun, runRefs } from "../../timeline/machines/machine-run.ts";
import { guestGitEnvironment, guestUrl } from "./guest-git.ts";
import { guestScript } from "./guest-shell.ts";

/** So many commits of history go along; the rest stays on this machine, which has it when work comes back. */
const historyDepth = 50;

export interface SendIn {
  readonly sandboxContext: SandboxContext;
  readonly guest: GuestChannel;
  readonly env: NodeJS.ProcessEnv;
  readonly run: MachineRun;
  /** The files, and the index, as they are to be. */
  readonly tree: Oid;
  readonly indexTree: Oid;
}

/**
 * Makes a working copy in a machine: HEAD, what is staged, what is not, untracked files, and the ignored ones
 * that `.worktreeinclude` names. Objects go by git's own protocol; the present repository is only read.
 */
export async function sendWorkingCopy(
  git: Git,
  { sandboxContext, guest, env, run, tree, indexTree }: SendIn,
): Promise<void> {
  const { base, directory, branch } = run;
  if (!isOid(base))
    throw new KeyframeError("refused", "a machine needs a commit to begin from", {
      hint: "make a first commit",
    });
  const refs = runRefs(run.name);
  const begin = await commitTree(git, tree, base);
  const index = await commitTree(git, indexTree, base);
  await git.run(["update-ref", `${refs}begin`, begin]);
  await git.run(["update-ref", `${refs}index`, index]);
  const who = /^(.*?) ?<([^>]*)>$/.exec(await committerIdentity(git));
  await guestScript(
    guest,
    [
      `git init -q ${shellQuote(directory)}`,
      `cd ${shellQuote(directory)}`,
      "git config receive.shallowUpdate true",
      `git config user.name ${shellQuote(who?.[1] || "Keyframe")}`,
      `git config user.email ${shellQuote(who?.[2] || "keyframe@localhost")}`,
      // whatever the default is there
      `git symbolic-ref HEAD refs/heads/${shellQuote(branch)}`,
    ].join("\n"),
    { to: "make a repository (has the image git?)" },
  );
  await pushObjects(git, { sandboxContext, env, run });
  await guestScript(
    guest,
    [
      `git update-ref refs/heads/${shellQuote(branch)} ${base}`,
      "git read-tree -u --reset refs/keyframe/begin",
      "git read-tree refs/keyframe/index",
      "git update-index -q --refresh || true",
    ].join("\n"),
    { cwd: directory, to: "check out the files" },
  );
  const top = git.repository.workTree ?? "";
  for (const path of await listIncluded(git, sandboxContext.files))
    await copyIn(sandboxContext.files, guest, join(top, path), `${directory}/${path}`);
}

async function commitTree(git: Git, tree: Oid, parent: Oid): Promise<Oid> {
  const args = [
    "-c",
    "user.name=Keyframe",
    "-c",
    "user.email=keyframe@localhost",
    "-c",
    "commit.gpgSign=false",
  ];
  const oid = await git.text([...args, "commit-tree", tree, "-p", parent, "-m", "working copy"]);
  if (!isOid(oid)) throw gitFailed(["commit-tree"], { code: 0, signal: undefined, stderr: oid });
  return oid;
}

/** From a shallow copy that is made for it: git cannot push a part of a history otherwise. */
async function pushObjects(
  git: Git,
  { sandboxContext, env, run }: Pick<SendIn, "sandboxContext" | "env" | "run">,
): Promise<void> {
  const copy = sandboxContext.files.makeTemporaryFolder("keyframe-send-");
  const there = { env: { ...guestGitEnvironment(sandboxContext, env), GIT_DIR: copy }, cwd: copy };
  const must = async (...args: string[]) => {
    const result = await sandboxContext.processes.run("git", args, there);
    if (result.code !== 0) throw gitFailed(args, result);
  };
  try {
    await must("init", "-q", "--bare", copy);
    const refs = runRefs(run.name);
    const from = pathToFileURL(git.repository.commonDir).href;
    await must(
      "fetch",
      "-q",
      "--no-tags",
      `--depth=${historyDepth}`,
      from,
      `${refs}begin:refs/keyframe/begin`,
      `${refs}index:refs/keyframe/index`,
    );
    await must("push", "-q", guestUrl(run.sandbox, run.directory), "refs/keyframe/*:refs/keyframe/*");
  } finally {
    sandboxContext.files.removeTree(copy);
  }
}
