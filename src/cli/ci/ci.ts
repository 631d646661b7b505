import { KeyframeError } from "../../base/errors.ts";
import type { Git } from "../../git/git.ts";
import type { Oid } from "../../git/ids.ts";
import { mustResolveCommit } from "../../git/refs/refs.ts";
import { resolveRemote } from "../../git/remote/remote.ts";
import { createNodeHttpClient } from "../../system/net/http.ts";
import { type Pipeline, readPipeline } from "../../workflows/ci/pipeline.ts";
import type { MergedOutcome } from "../../workflows/ci/settle-merged.ts";
import { type PipelineReport, settlePipeline } from "../../workflows/ci/settle-pipeline.ts";
import type { CliContext } from "../command/context.ts";
import { openRepositoryGit } from "../command/open-repository.ts";
import { openSync } from "../command/sync-context.ts";

export interface CiFlags {
  readonly before?: string;
  readonly after?: string;
  readonly remote?: string;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

const apiIdleMs = 20_000;
/** What a service tells of a push is some KB, of many commits some MB. */
const maxEventBytes = 32 * 1024 * 1024;

/** `keyframe ci` */
export async function ci(this: CliContext, flags: CiFlags): Promise<void> {
  const pipeline = readPipeline(this.env, readEvent(this));
  const skipped = reasonToSkip(pipeline, flags);
  if (skipped !== undefined) {
    if (flags.json) this.terminal.json({ outcomes: [], pushed: false, problems: [], skipped });
    else this.terminal.out(`${skipped}.`);
    return;
  }
  const git = openRepositoryGit(this);
  const remote = await resolveRemote(git, flags.remote);
  const { sync, finish } = openSync(this, git);
  const client = createNodeHttpClient({ maxConnections: 2, idleTimeoutMs: apiIdleMs });
  try {
    const report = await settlePipeline(sync, remote, {
      client,
      request: {
        pipeline,
        ...(await revisions(git, flags)),
        dryRun: flags.dryRun === true,
      },
    });
    finish();
    if (flags.json) this.terminal.json(describe(report));
    else print(this, report);
    if (report.problems.length > 0) {
      throw new KeyframeError("remote-failed", `the notes were not pushed: ${report.problems.join("; ")}`, {
        hint: "the pipeline needs the right to push to the repository (`contents: write` on GitHub)",
      });
    }
  } finally {
    finish();
    client.close();
  }
}

function reasonToSkip({ kind, event }: Pipeline, { before, after }: CiFlags): string | undefined {
  if (kind === "change-request")
    return "Nothing is written for a pull or merge request: notes are written when its commits arrive on the branch";
  if (kind !== "unknown" || before !== undefined || after !== undefined) return undefined;
  const name = event === undefined || event === "" ? "without a name" : JSON.stringify(event);
  return `Nothing is written for a pipeline of kind ${name}, which did not start for commits on a branch; --before and --after name them`;
}

async function revisions(git: Git, { before, after }: CiFlags): Promise<{ before?: Oid; after?: Oid }> {
  return {
    ...(before === undefined ? {} : { before: await mustResolveCommit(git, before) }),
    ...(after === undefined ? {} : { after: await mustResolveCommit(git, after) }),
  };
}

function readEvent({ env, files }: CliContext): string | undefined {
  const path = env["GITHUB_EVENT_PATH"] ?? "";
  const stat = path === "" ? undefined : files.statTargetIfExists(path);
  return stat?.kind === "file" && stat.sizeBytes <= maxEventBytes
    ? files.readIfExists(path)?.toString("utf8")
    : undefined;
}

function describe({ outcomes, ...rest }: PipelineReport) {
  return { outcomes: outcomes.map(({ log: _log, ...outcome }) => outcome), ...rest };
}

function print({ terminal }: CliContext, { outcomes, pushed }: PipelineReport): void {
  for (const outcome of outcomes) terminal.out(line(outcome));
  if (outcomes.length === 0) terminal.out("No new commits.");
  else terminal.out(pushed ? "Notes were pushed." : "Nothing to push.");
}

function line({ commit, kind, change, evidence, lines, checkpoints }: MergedOutcome): string {
  const from =
    change === undefined ? "" : ` of change ${change}${evidence === undefined ? "" : ` (${evidence})`}`;
  const what = {
    squash: `squashed from the commits${from}`,
    rebase: `one commit${from} again`,
    own: `a commit or merge${from}: its notes stay`,
    noted: "has a note",
    none: change === undefined ? "no change is known for it" : `the commits${from} have no notes`,
  }[kind];
  const links = checkpoints.length === 0 ? "" : `, ${checkpoints.length} checkpoint links`;
  const owners = kind === "squash" || kind === "rebase" ? `, ${lines} lines with an owner${links}` : "";
  return `${commit.slice(0, 12)}  ${what}${owners}`;
}
