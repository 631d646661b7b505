import { join } from "node:path";
import { KeyframeError } from "../../base/errors.ts";
import { type FileChange, type FileState, sameState, textFile } from "../../base/file-change.ts";
import { keyframeVersion } from "../../base/version.ts";
import type { Git } from "../../git/git.ts";
import { findElectedRemote } from "../../git/remote/remote.ts";
import { applyFileChanges, readFileState } from "../../system/files/file-changes.ts";
import { findForge } from "../../workflows/ci/find-forge.ts";
import type { Forge } from "../../workflows/ci/pipeline.ts";
import { gitlabInclude, workflowFiles, workflowMark } from "../../workflows/ci/workflow-files.ts";
import type { CliContext } from "../command/context.ts";
import { openRepositoryGit } from "../command/open-repository.ts";
import { describeChange, printChanges } from "../enable/print-changes.ts";
import { printable } from "../output/terminal.ts";

export interface CiInstallFlags {
  readonly forge?: Forge;
  readonly branch?: string;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

/** `keyframe ci install` */
export async function ciInstall(this: CliContext, flags: CiInstallFlags): Promise<void> {
  const git = openRepositoryGit(this);
  const top = git.repository.workTree;
  if (top === undefined) throw new KeyframeError("refused", "a bare repository has no workflow files");
  const forge = flags.forge ?? (await findForge(git, this.files));
  if (forge === undefined) {
    throw new KeyframeError("usage", "neither the remote nor a file tells whose pipelines run here", {
      hint: "name it: `keyframe ci install --forge github` or `--forge gitlab`",
    });
  }
  const branch = flags.branch ?? (await defaultBranch(git));
  const all = workflowFiles(forge, { branch, version: keyframeVersion });
  const [file] = all;
  const changes = all.map(({ path, text }) => planFile(this, join(top, path), text));
  const includer = join(top, ".gitlab-ci.yml");
  const isIncluded = forge === "github" || (readText(this, includer)?.includes(file.path) ?? false);
  if (!isIncluded && readText(this, includer) === undefined) {
    changes.push(planFile(this, includer, `${workflowMark}\n${gitlabInclude}`));
  }
  const wanted = changes.filter(({ before, after }) => !sameState(before, after));
  if (flags.dryRun !== true) applyFileChanges(wanted, this.files);
  if (flags.json) {
    this.terminal.json({
      forge,
      branch,
      applied: flags.dryRun !== true,
      changes: wanted.map(describeChange),
    });
  } else {
    printChanges(this, { changes: wanted, top, dryRun: flags.dryRun === true });
    const paths = all.map(({ path }) => printable(path)).join(" and ");
    if (wanted.length > 0) this.terminal.out(`Commit ${paths} to ${printable(branch)}.`);
  }
  if (!isIncluded && readText(this, includer)?.includes(file.path) !== true && flags.dryRun !== true) {
    this.terminal.note(`.gitlab-ci.yml is yours and stays as it is; add to it:\n${gitlabInclude.trimEnd()}`);
  }
}

/** @throws KeyframeError `refused` where somebody else's file is there */
function planFile({ files }: CliContext, path: string, text: string): FileChange {
  const before = readFileState(path, files);
  const mode = before.kind === "file" ? before.mode : 0o644;
  if (before.kind !== "absent" && !isOurs(before)) {
    throw new KeyframeError("refused", `${path} is there and was not written by Keyframe`, {
      hint: "move it away, or add `keyframe ci` to it by hand",
    });
  }
  return { path, before, after: textFile(text, mode), why: "runs Keyframe in pipelines" };
}

function isOurs(state: FileState): boolean {
  return state.kind === "file" && state.content.toString("utf8").startsWith(`${workflowMark}\n`);
}

function readText({ files }: CliContext, path: string): string | undefined {
  return files.readIfExists(path)?.toString("utf8");
}

async function defaultBranch(git: Git): Promise<string> {
  const remote = await findElectedRemote(git);
  const head = await git.run(["symbolic-ref", "--quiet", `refs/remotes/${remote?.name ?? "origin"}/HEAD`], {
    okCodes: [0, 1, 128],
  });
  const name = head.stdout.toString("utf8").trim().split("/").slice(3).join("/");
  if (name !== "") return name;
  const own = await git.run(["symbolic-ref", "--quiet", "--short", "HEAD"], { okCodes: [0, 1] });
  return own.stdout.toString("utf8").trim() || "main";
}
