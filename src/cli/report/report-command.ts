import { buildCommand } from "@stricli/core";
import type { CliContext } from "../command/context.ts";
import { revisionArgument, switchFlag, textFlag, textsFlag } from "../command/flags.ts";

export interface ReportFlags {
  readonly format: "md" | "html" | "json" | "sarif";
  readonly json?: boolean;
  readonly prompts?: boolean;
  readonly failOn?: readonly string[];
  readonly ci?: boolean;
  readonly remote?: string;
}

export const reportCommand = buildCommand<ReportFlags, [string?], CliContext>({
  loader: async () => (await import("./report.ts")).report,
  parameters: {
    flags: {
      format: {
        kind: "enum",
        values: ["md", "html", "json", "sarif"],
        default: "md",
        brief: "Form of the report",
      },
      json: switchFlag("The same as --format json"),
      prompts: switchFlag("Show the prompts; only where every reader may see them"),
      failOn: textsFlag("End with 1 if this holds (may be repeated)", "condition"),
      ci: switchFlag("In a pipeline of a pull or merge request: its commits, one comment, the job's summary"),
      remote: textFlag(
        "Where notes are fetched from, with --ci (default: the remote that checkpoints belong to)",
        "remote",
      ),
    },
    positional: revisionArgument("HEAD, or with --ci the commits of the change"),
  },
  docs: {
    brief: "Report who wrote a range, for reviewers: agents, people, unknown, prompts, tokens, tests",
    fullDescription: `Says who wrote the lines of a commit or range, which lines have no evidence, which tests changed, tokens, and prompts where they may be shown. Facts only; it fails nothing unless --fail-on says so.

Examples:
  keyframe report main..HEAD
  keyframe report main..HEAD --format html >report.html
  keyframe report --ci --fail-on 'unknown>50%'`,
  },
});
