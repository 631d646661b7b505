import type { Git } from "../../git/git.ts";
import { resolveRevision } from "../../git/refs/refs.ts";

/** A remote branch to which a service squashes changes, and where nothing carries owners and links. */
export interface SquashMerging {
  /** `origin/main` */
  readonly branch: string;
  readonly squashed: number;
  /** Commits that were looked at. */
  readonly of: number;
}

/** Commits along the branch's first parents that are looked at. */
const maxCommits = 200;
/** One may be a number that somebody wrote. */
const minSquashed = 2;

/**
 * Whether a remote squashes what is merged into its default branch, as far as what was fetched of it tells, and no
 * pipeline of the branch runs `keyframe ci`.
 */
export async function findSquashMerging(git: Git, remoteName: string): Promise<SquashMerging | undefined> {
  const ref = await findDefaultBranch(git, remoteName);
  if (ref === undefined) return undefined;
  const format = "--format=%P%x00%s";
  const log = [
    "log",
    "--no-show-signature",
    "--first-parent",
    `--max-count=${maxCommits}`,
    format,
    ref,
    "--",
  ];
  const commits = (await git.text(log)).split("\n").filter((line) => line !== "");
  const squashed = commits.filter(isSquash).length;
  if (squashed < minSquashed || (await hasPipeline(git, ref))) return undefined;
  return { branch: ref.slice("refs/remotes/".length), squashed, of: commits.length };
}

/** What to tell about it, and what to do. */
export function describeSquashMerging({ branch, squashed, of }: SquashMerging): {
  what: string;
  repair: string;
} {
  return {
    what: `${squashed} of the last ${of} commits of ${branch} were squashed by the service, which drops owners and links`,
    repair: "`keyframe ci install` writes a pipeline that carries them over",
  };
}

function isSquash(line: string): boolean {
  const [parents = "", subject = ""] = line.split("\0");
  return !parents.includes(" ") && /\(#[1-9]\d*\)$/.test(subject);
}

async function findDefaultBranch(git: Git, remoteName: string): Promise<string | undefined> {
  const base = `refs/remotes/${remoteName}`;
  const head = await git.run(["symbolic-ref", "--quiet", `${base}/HEAD`], { okCodes: [0, 1, 128] });
  const told = head.stdout.toString("utf8").trim();
  for (const ref of [told, `${base}/main`, `${base}/master`])
    if (ref !== "" && (await resolveRevision(git, ref)) !== undefined) return ref;
  return undefined;
}

async function hasPipeline(git: Git, ref: string): Promise<boolean> {
  const places = [".github/workflows", ".gitlab", ".gitlab-ci.yml"];
  const pattern = "(keyframe|keyframe-cli|kf)(@[^ ]*)? ci( |$)";
  const found = await git.run(["grep", "-q", "-E", "-e", pattern, ref, "--", ...places], { okCodes: [0, 1] });
  return found.code === 0;
}
