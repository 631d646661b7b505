import { KeyframeError } from "../../base/errors.ts";
import { resolveRemote } from "../../git/remote/remote.ts";
import { createNodeHttpClient } from "../../system/net/http.ts";
import { writeComment } from "../../workflows/ci/change-comment.ts";
import { type ChangeRequest, readChangeRequest } from "../../workflows/ci/change-request.ts";
import { dropFetchedRefs } from "../../workflows/ci/fetched-refs.ts";
import { readPipeline } from "../../workflows/ci/pipeline.ts";
import { failureOf, parseGate } from "../../workflows/report/fail-on.ts";
import { fetchForReport, reportPrefix } from "../../workflows/report/fetch-for-report.ts";
import { gatherReport } from "../../workflows/report/gather-report.ts";
import {
  commentMark,
  githubAnnotations,
  reportHtml,
  reportMarkdown,
  reportSarif,
} from "../../workflows/report/render-report.ts";
import type { ReportFacts } from "../../workflows/report/report-facts.ts";
import type { CliContext } from "../command/context.ts";
import { openReadableCheckpoints, openRepositoryGit } from "../command/open-repository.ts";
import { settleFirst } from "../command/settle-first.ts";
import { openSync } from "../command/sync-context.ts";
import type { ReportFlags } from "./report-command.ts";

const apiIdleMs = 20_000;

/** `keyframe report` */
export async function report(this: CliContext, flags: ReportFlags, revision?: string): Promise<void> {
  const gates = (flags.failOn ?? []).map(parseGate);
  const change = flags.ci === true ? mustReadChange(this) : undefined;
  if (change === undefined) await settleFirst(this);
  const facts =
    change === undefined
      ? await gather(this, flags, revision ?? "HEAD")
      : await gatherChange(this, flags, change, revision);
  print(this, flags, facts);
  if (change !== undefined) await publish(this, facts, change);
  const failures = gates.flatMap((gate) => failureOf(gate, facts) ?? []);
  for (const failure of failures) this.terminal.note(`keyframe: ${failure}`);
  if (failures.length > 0) this.process.exitCode = 1;
}

function gather(context: CliContext, flags: ReportFlags, range: string): Promise<ReportFacts> {
  const { git, stores } = openReadableCheckpoints(context);
  return gatherReport({ git, stores, files: context.files }, { range, prompts: flags.prompts === true });
}

async function gatherChange(
  context: CliContext,
  flags: ReportFlags,
  change: ChangeRequest,
  revision: string | undefined,
): Promise<ReportFacts> {
  const git = openRepositoryGit(context);
  const { sync, finish } = openSync(context, git);
  try {
    await fetchForReport(sync, await resolveRemote(git, flags.remote), change);
    return await gather(context, flags, revision ?? `${change.base}..${change.head}`);
  } finally {
    finish();
    await dropFetchedRefs(git, reportPrefix);
  }
}

function print({ terminal }: CliContext, { format, json }: ReportFlags, facts: ReportFacts): void {
  if (json === true || format === "json") terminal.json(facts);
  else if (format === "sarif") terminal.json(reportSarif(facts));
  else terminal.out((format === "html" ? reportHtml(facts) : reportMarkdown(facts)).trimEnd());
}

/** The job's summary needs no rights, so it is written for forks too. */
async function publish(context: CliContext, facts: ReportFacts, change: ChangeRequest): Promise<void> {
  const { env, files, terminal } = context;
  const text = reportMarkdown(facts);
  const summary = env["GITHUB_STEP_SUMMARY"];
  if (change.forge === "github") for (const line of githubAnnotations(facts)) terminal.note(line);
  if (summary !== undefined && summary !== "") files.append(summary, Buffer.from(text));
  const { api } = readPipeline(env, undefined);
  if (api === undefined) {
    terminal.note("keyframe: no token of the service is set, so no comment is written");
    return;
  }
  const client = createNodeHttpClient({ maxConnections: 1, idleTimeoutMs: apiIdleMs });
  try {
    const outcome = await writeComment(client, { api, number: change.number, text, mark: commentMark });
    terminal.note(
      outcome.kind === "not allowed"
        ? `keyframe: the token may not write comments (${outcome.status}), as for a change from a fork; the report is in the job's summary and output`
        : `keyframe: the comment was ${outcome.kind}`,
    );
  } finally {
    client.close();
  }
}

function mustReadChange({ env, files }: CliContext): ChangeRequest {
  const path = env["GITHUB_EVENT_PATH"] ?? "";
  const event = path === "" ? undefined : files.readIfExists(path)?.toString("utf8");
  const change = readChangeRequest(env, event);
  if (change === undefined)
    throw new KeyframeError("usage", "this is not a pipeline of a pull or merge request", {
      hint: "name a range instead: `keyframe report main..HEAD`",
    });
  return change;
}
