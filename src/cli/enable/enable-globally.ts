import { join } from "node:path";
import { absent } from "../../base/file-change.ts";
import { applyFileChanges } from "../../system/files/file-changes.ts";
import { homedir } from "../../system/machine/home.ts";
import type { CliContext } from "../command/context.ts";
import { readInstalledAt, recordInstalled, restoreExactly, writeInstalledAt } from "../setup/installed.ts";
import { findAgents, readHomeFiles, readHomeServerFiles, type Surroundings } from "./agent-files.ts";
import type { EnableFlags } from "./enable-command.ts";
import { planAgentFile, planAgentFileRemovals, planServerFiles } from "./plan-agent-file.ts";
import { connectionNotes, describeChange, printChanges } from "./print-changes.ts";
import { removeEmptyParents } from "./remove-empty-parents.ts";

/** `keyframe enable --global`: the agents' own settings in the home connect them for all repositories. */
export function enableGlobally(this: CliContext, flags: EnableFlags): void {
  const around = surroundingsOf(this);
  const agents = new Set(flags.agent ?? findAgents(around, undefined));
  const words = [flags.everywhere === true ? "--everywhere" : "--where-enabled"];
  const installed = { kind: "installed", ...this.program } as const;
  const named = flags.agent !== undefined;
  const hooks = readHomeFiles(around)
    .filter(({ connection }) => agents.has(connection.agent))
    .map((file) => planAgentFile(file, { installed, words, named }));
  const wanted = flags.mcp === true;
  const plans = [
    ...hooks,
    ...planServerFiles(readHomeServerFiles(around), hooks, { installed, agents, wanted, named }),
  ];
  const changes = plans.flatMap((plan) => plan.changes);
  const record = homeRecordPath(around);
  const isApplied = flags.dryRun !== true && changes.length > 0;
  if (isApplied) {
    writeInstalledAt(record, this.files, recordInstalled(readInstalledAt(record, this.files), changes));
    applyFileChanges(changes, this.files);
  }
  if (flags.json) {
    const described = plans.map(({ agent, path, standing }) => ({ agent, path, standing }));
    this.terminal.json({
      applied: flags.dryRun !== true,
      agents: described,
      changes: changes.map(describeChange),
    });
    return;
  }
  printChanges(this, { changes, top: around.home, dryRun: flags.dryRun === true });
  const changed = new Set(plans.filter((plan) => plan.changes.length > 0).map(({ agent }) => agent));
  for (const { path, standing } of plans)
    if (standing === "refused")
      this.terminal.note(`${path} cannot be edited: name its agent with --agent to see why`);
  for (const line of connectionNotes(changed)) this.terminal.note(line);
}

/** `keyframe disable --global`: every settings file in the home holds again what it held before. */
export function disableGlobally(
  this: CliContext,
  flags: { readonly dryRun?: boolean; readonly json?: boolean },
): void {
  const around = surroundingsOf(this);
  const record = homeRecordPath(around);
  const installed = readInstalledAt(record, this.files);
  const changes = planAgentFileRemovals(readHomeFiles(around), readHomeServerFiles(around)).map((change) =>
    restoreExactly(change, installed),
  );
  if (flags.dryRun !== true) {
    applyFileChanges(changes, this.files);
    this.files.remove(record);
    const gone = { path: record, before: absent, after: absent, why: "" };
    removeEmptyParents([...changes, gone], around.home, this.files);
  }
  if (flags.json)
    this.terminal.json({ applied: flags.dryRun !== true, changes: changes.map(describeChange) });
  else printChanges(this, { changes, top: around.home, dryRun: flags.dryRun === true });
}

function surroundingsOf({ files, env }: CliContext): Surroundings {
  return { files, env, home: homedir() };
}

/** What was there before, beside the user's other settings. */
function homeRecordPath({ env, home }: Surroundings): string {
  return join(env["XDG_CONFIG_HOME"] || join(home, ".config"), "keyframe", "installed.json");
}
