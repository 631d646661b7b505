import { relative } from "node:path";
import { notesRef } from "../../authorship/note/notes-ref.ts";
import { changeVerb, type FileChange } from "../../base/file-change.ts";
import type { Git } from "../../git/git.ts";
import { watchHooks } from "../../git/hooks/hook-watch.ts";
import { readNotesRewrite } from "../../git/refs/notes-rewrite.ts";
import { switchOn } from "../../state/switch.ts";
import { applyFileChanges } from "../../system/files/file-changes.ts";
import type { CliContext } from "../command/context.ts";
import { formatTable, printable } from "../output/terminal.ts";
import type { EnableFlags } from "./enable-command.ts";
import { recordInstalled, writeInstalled } from "./installed.ts";
import { type EnablePlan, enableChanges, planEnable } from "./plan.ts";
import { enableOptions, openSituation } from "./situation.ts";

/** `keyframe enable` */
export async function enable(this: CliContext, flags: EnableFlags): Promise<void> {
  const { git, situation } = await openSituation(this);
  const { repository } = git;
  const options = enableOptions(this.program, {
    shared: flags.shared === true,
    agents: [flags.agent ?? "claude"],
  });
  const plan = planEnable(situation, options);
  const changes = enableChanges(plan);
  if (flags.dryRun !== true && (changes.length > 0 || situation.switchedOff)) {
    // the record comes first: a crash after it leaves nothing that cannot be taken back
    writeInstalled(repository, this.files, recordInstalled(situation.installed, changes));
    applyFileChanges(changes, this.files);
    switchOn(repository, this.files);
  }
  if (flags.dryRun !== true) {
    const paths = plan.hooks.map(({ path }) => path);
    watchHooks(repository, this.files, { program: this.program, paths });
  }
  const top = repository.workTree ?? repository.gitDir;
  if (flags.json) {
    this.terminal.json({
      applied: flags.dryRun !== true,
      repository: top,
      hooks: plan.hooks.map(({ name, path, standing }) => ({ name, path, standing })),
      agents: plan.agents.map(({ agent, path, standing }) => ({ agent, path, standing })),
      changes: changes.map(describeChange),
    });
    return;
  }
  printChanges(this, { changes, top, dryRun: flags.dryRun === true });
  for (const line of warnings(plan, this.program.entry)) this.terminal.note(line);
  for (const line of await warnOfRewriting(git, this.env)) this.terminal.note(line);
  if (flags.dryRun !== true) this.terminal.out(`Keyframe is on in ${printable(top)}`);
}

export function describeChange(change: FileChange): { path: string; action: string; why: string } {
  return { path: change.path, action: changeVerb(change), why: change.why };
}

export function printChanges(
  context: CliContext,
  {
    changes,
    top,
    dryRun,
  }: { readonly changes: readonly FileChange[]; readonly top: string; readonly dryRun: boolean },
): void {
  const { terminal } = context;
  if (changes.length === 0) {
    terminal.out("Nothing to change.");
    return;
  }
  if (dryRun) terminal.out("Would change:");
  const rows = changes.map((change) => [
    `  ${changeVerb(change)}`,
    printable(shortPath(change.path, top)),
    terminal.style("dim", change.why),
  ]);
  terminal.out(formatTable(rows));
}

function shortPath(path: string, top: string): string {
  const short = relative(top, path);
  return short.startsWith("..") ? path : short;
}

/** Keyframe carries notes line by line; git would copy and glue whole ones, whose line numbers are of other commits. */
async function warnOfRewriting(git: Git, env: NodeJS.ProcessEnv): Promise<string[]> {
  const rewrite = await readNotesRewrite(git, notesRef, env);
  if (rewrite === undefined || rewrite.mode === "ignore" || rewrite.mode === "overwrite") return [];
  return [
    `${printable(rewrite.setting)} lets git glue authorship notes together when it rewrites commits. Keyframe reads them`,
    "all the same; to stop it: `git config notes.rewriteMode ignore`",
  ];
}

function warnings(plan: EnablePlan, entry: string): string[] {
  const lines = plan.hooks.flatMap(({ name, path, standing }) => {
    switch (standing) {
      case "committed":
        return [`${name}: ${printable(path)} is committed, so Keyframe leaves it alone`];
      case "shared":
        return [`${name}: ${printable(path)} also serves other repositories, so Keyframe leaves it alone`];
      case "blocked":
        return [`${name}: both ${printable(path)} and a hook kept aside are there; remove one of them`];
      default:
        return [];
    }
  });
  if (lines.length > 0)
    lines.push("What such a hook would have settled is settled by the next keyframe command.");
  if (/[\\/]_npx[\\/]/.test(entry)) {
    lines.push(
      "This keyframe was started by npx and may be removed with its cache: `npm install -g keyframe-cli`",
    );
  }
  return lines;
}
