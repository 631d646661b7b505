import { notesRef } from "../../authorship/note/notes-ref.ts";
import { KeyframeError } from "../../base/errors.ts";
import type { Git } from "../../git/git.ts";
import { watchHooks } from "../../git/hooks/hook-watch.ts";
import { readNotesRewrite } from "../../git/refs/notes-rewrite.ts";
import { noteConnected } from "../../state/connected-agents.ts";
import { switchOn } from "../../state/switch.ts";
import { applyFileChanges } from "../../system/files/file-changes.ts";
import type { CliContext } from "../command/context.ts";
import { printable } from "../output/terminal.ts";
import { describePeer, isTakenOver, peerNotes } from "../peers/peer-words.ts";
import { takenNotes, takeRecords } from "../peers/take-records.ts";
import { recordInstalled, writeInstalled } from "../setup/installed.ts";
import type { EnableFlags } from "./enable-command.ts";
import { enableGlobally } from "./enable-globally.ts";
import { connectedAgents, type EnablePlan, enableChanges, planEnable, type Situation } from "./plan.ts";
import { connectionNotes, describeChange, printChanges } from "./print-changes.ts";
import { enableOptions, openSituation } from "./situation.ts";

/** `keyframe enable` */
export async function enable(this: CliContext, flags: EnableFlags): Promise<void> {
  if (flags.global === true && flags.takeOver === true)
    throw new KeyframeError("usage", "--take-over is for one repository: leave out --global");
  if (flags.global === true) return enableGlobally.call(this, flags);
  if (flags.everywhere === true) throw new KeyframeError("usage", "--everywhere needs --global");
  const { git, situation } = await openSituation(this);
  const { repository } = git;
  const dryRun = flags.dryRun === true;
  const options = enableOptions(this.program, {
    shared: flags.shared === true,
    agents: flags.agent ?? ["claude", ...situation.found, ...connectedAgents(situation)],
    named: flags.agent !== undefined,
    takeOver: flags.takeOver === true,
    mcp: flags.mcp === true,
  });
  const plan = planEnable(situation, options);
  const changes = enableChanges(plan);
  if (!dryRun && (changes.length > 0 || situation.switchedOff)) {
    // the record comes first: a crash after it leaves nothing that cannot be taken back
    writeInstalled(repository, this.files, recordInstalled(situation.installed, changes));
    applyFileChanges(changes, this.files);
    switchOn(repository, this.files);
  }
  if (!dryRun) {
    const paths = plan.hooks.map(({ path }) => path);
    watchHooks(repository, this.files, { program: this.program, paths });
    noteConnected(repository, this.files, connectedAfter(situation, plan));
  }
  // only where somebody asked for it are there plans for peers
  const taken = takeRecords(this, repository, { plans: plan.peers, dryRun });
  const top = repository.workTree ?? repository.gitDir;
  if (flags.json) {
    this.terminal.json({
      applied: !dryRun,
      repository: top,
      hooks: plan.hooks.map(({ name, path, standing }) => ({ name, path, standing })),
      agents: plan.agents.map(({ agent, path, standing }) => ({ agent, path, standing })),
      ...(plan.servers.length === 0
        ? {}
        : { servers: plan.servers.map(({ agent, path, standing }) => ({ agent, path, standing })) }),
      peers: describePeers(situation, plan),
      ...(flags.takeOver === true ? { takenOver: taken } : {}),
      changes: changes.map(describeChange),
    });
    return;
  }
  printChanges(this, { changes, top, dryRun });
  for (const line of warnings(plan, this.program.entry)) this.terminal.note(line);
  for (const line of peerNotes(situation.peers, plan.peers, { asked: flags.takeOver === true }))
    this.terminal.note(line);
  for (const line of takenNotes(taken)) this.terminal.note(line);
  for (const line of await warnOfRewriting(git, this.env)) this.terminal.note(line);
  if (!dryRun) this.terminal.out(`Keyframe is on in ${printable(top)}`);
}

/** The peers as they are once the plan is carried out. */
function describePeers({ peers, takenOver }: Situation, plan: EnablePlan): object[] {
  const switchedOff = new Set(plan.peers.filter(({ changes }) => changes.length > 0).map(({ peer }) => peer));
  return peers.map((peer) => describePeer(peer, switchedOff.has(peer) || isTakenOver(peer, takenOver)));
}

/** The agents with hooks in the repository once the plan is carried out. */
function connectedAfter(situation: Situation, plan: EnablePlan): readonly string[] {
  const planned = plan.agents.filter(({ standing, changes }) => standing === "on" || changes.length > 0);
  return [...new Set([...connectedAgents(situation), ...planned.map(({ agent }) => agent)])];
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
  lines.push(...agentWarnings(plan));
  if (/[\\/]_npx[\\/]/.test(entry)) {
    lines.push(
      "This keyframe was started by npx and may be removed with its cache: `npm install -g keyframe-cli`",
    );
  }
  return lines;
}

/** What being connected asks of the user, and what was left alone; each agent once. */
function agentWarnings({ agents, servers }: EnablePlan): string[] {
  const left = [...agents, ...servers].flatMap(({ path, standing }) => {
    if (standing === "committed")
      return [
        `${printable(path)} is committed, so Keyframe leaves it alone: \`keyframe enable --global\` connects it`,
      ];
    return standing === "refused"
      ? [`${printable(path)} cannot be edited: name its agent with --agent to see why`]
      : [];
  });
  const changed = new Set(agents.filter(({ changes }) => changes.length > 0).map(({ agent }) => agent));
  return [...left, ...connectionNotes(changed)];
}
