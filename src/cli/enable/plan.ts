import type { AgentProgram } from "../../agents/settings/agent-program.ts";
import { addClaudeHooks, hasClaudeHooks, removeClaudeHooks } from "../../agents/settings/claude-settings.ts";
import { KeyframeError } from "../../base/errors.ts";
import { absent, type FileChange, type FileState, sameState, textFile } from "../../base/file-change.ts";
import type { HookAction } from "../../git/hooks/hook-block.ts";
import type { HookSituation } from "../../git/hooks/hook-situation.ts";
import { type HookPlan, type InstallChange, planHook, planHookRemoval } from "../../git/hooks/plan.ts";
import { isExcludedByUs, setExcluded } from "../../git/worktree/exclude.ts";
import type { Peer } from "../peers/find-peers.ts";
import { planGiveBack, planTakeOver, type TakenOver, type TakeOverPlan } from "../peers/take-over.ts";
import { type InstalledPath, type RecordedChange, restoreExactly } from "../setup/installed.ts";
import type { AgentFile } from "./agent-files.ts";
import {
  type AgentPlan,
  holdsHooks,
  planAgentFile,
  planAgentFileRemovals,
  planServerFiles,
} from "./plan-agent-file.ts";
import type { SettingsSituation } from "./settings-situation.ts";

/** Everything that `enable`, `disable` and `status` look at. */
export interface Situation {
  readonly hooks: readonly HookSituation[];
  /** Claude Code's. */
  readonly settings: readonly SettingsSituation[];
  /** Those of every other agent. */
  readonly agentFiles: readonly AgentFile[];
  /** Where agents look for servers that they may ask. */
  readonly serverFiles: readonly AgentFile[];
  /** Agents that are installed or set up here. */
  readonly found: ReadonlySet<string>;
  /** Other tools that record what agents do. */
  readonly peers: readonly Peer[];
  /** The settings through which some of them were switched off here. */
  readonly takenOver: readonly TakenOver[];
  readonly exclude: { readonly path: string; readonly state: FileState };
  /** Of the paths that Keyframe may make in the work tree, those that some rule of git's ignores. */
  readonly ignored: ReadonlySet<string>;
  readonly installed: readonly InstalledPath[];
  readonly switchedOff: boolean;
  /** True if `keyframe` is found on the PATH. */
  readonly onPath: boolean;
}

export interface EnableOptions {
  readonly shared: boolean;
  readonly agents: readonly string[];
  /** True if the user named the agents: what cannot be connected is refused then, and else left out. */
  readonly named?: boolean;
  /** True if peers are to be switched off. */
  readonly takeOver?: boolean;
  /** True if the agents are to be told of Keyframe's server. */
  readonly mcp?: boolean;
  readonly hookAction: HookAction;
  readonly installed: AgentProgram;
}

export interface EnablePlan {
  readonly hooks: readonly HookPlan[];
  readonly agents: readonly AgentPlan[];
  readonly servers: readonly AgentPlan[];
  readonly peers: readonly TakeOverPlan[];
  readonly exclude: readonly InstallChange[];
}

/** What turning Keyframe on changes. Nothing, if it is on already. */
export function planEnable(situation: Situation, options: EnableOptions): EnablePlan {
  const hooks = situation.hooks.map((hook) => planHook(hook, options.hookAction));
  const claude = options.agents.includes("claude") ? planClaude(situation, options) : [];
  const chosen = situation.agentFiles.filter(({ connection }) => options.agents.includes(connection.agent));
  const others = chosen.map((file) => planAgentFile(file, options));
  const made = chosen.filter(
    ({ state }, index) => state.kind === "absent" && others[index]?.standing === "off",
  );
  const peers = options.takeOver === true ? situation.peers.map(planTakeOver) : [];
  const agents = [...claude, ...others];
  const servers = planServerFiles(situation.serverFiles, agents, {
    installed: options.installed,
    agents: new Set(options.agents),
    wanted: options.mcp === true,
    ...(options.named === undefined ? {} : { named: options.named }),
  });
  const newServers = situation.serverFiles.filter(
    ({ path, state }) =>
      state.kind === "absent" && servers.some((plan) => plan.path === path && plan.changes.length > 0),
  );
  const madeHere = [
    ...[...made, ...newServers].flatMap(({ workTreePath }) => workTreePath ?? []),
    ...peers.flatMap(({ peer, changes }) =>
      peer.settings.state.kind === "absent" && changes.length > 0 ? (peer.settings.workTreePath ?? []) : [],
    ),
  ];
  return { hooks, agents, servers, peers, exclude: planExclude(situation, madeHere) };
}

/** The agents of which hooks are in the repository's settings. */
export function connectedAgents({ settings, agentFiles }: Situation): string[] {
  const others = agentFiles.filter(holdsHooks).map(({ connection }) => connection.agent);
  const hasClaude = settings.some(({ state }) => holdsClaudeHooks(fileText(state) ?? "{}"));
  return [...new Set([...(hasClaude ? ["claude"] : []), ...others])];
}

/** Peers go last: after a crash half way two tools record, and not none. */
export function enableChanges(plan: EnablePlan): readonly RecordedChange[] {
  const parts = [...plan.hooks, ...plan.agents, ...plan.servers, { changes: plan.exclude }, ...plan.peers];
  return parts.flatMap((part): readonly RecordedChange[] => part.changes);
}

/** What taking Keyframe out changes: afterwards every file holds what it held before, byte for byte. */
export function planUninstall(situation: Situation): readonly FileChange[] {
  const changes: FileChange[] = situation.hooks.flatMap(planHookRemoval);
  for (const { path, state } of situation.settings) {
    const text = settingsText(path, state);
    if (text === undefined || !hasClaudeHooks(text)) continue;
    changes.push({ path, before: state, after: withText(state, removeClaudeHooks(text)), why: "taken back" });
  }
  changes.push(...planAgentFileRemovals(situation.agentFiles, situation.serverFiles));
  changes.push(...situation.takenOver.flatMap(planGiveBack));
  const { path, state } = situation.exclude;
  const bare = setExcluded(fileText(state) ?? "", []);
  changes.push({ path, before: state, after: withText(state, bare), why: "taken back" });
  return changes
    .filter((change) => !sameState(change.before, change.after))
    .map((change) => restoreExactly(change, situation.installed));
}

function holdsClaudeHooks(text: string): boolean {
  try {
    return hasClaudeHooks(text);
  } catch {
    return false; // damaged: whoever edits it is told so
  }
}

function planClaude(situation: Situation, options: EnableOptions): readonly AgentPlan[] {
  const isShared = situation.settings.some(
    ({ scope, path, state }) => scope === "shared" && hasClaudeHooks(settingsText(path, state) ?? "{}"),
  );
  // Claude Code runs equal commands of several settings once: with shared settings the personal ones say the same
  const onPath: AgentProgram = { kind: "on-path" };
  const program = options.shared || (isShared && situation.onPath) ? onPath : options.installed;
  return situation.settings
    .filter(({ scope }) => scope === "personal" || options.shared || isShared)
    .map((settings) => planSettings(settings, settings.scope === "shared" ? onPath : program));
}

function planSettings(settings: SettingsSituation, program: AgentProgram): AgentPlan {
  const { path, state } = settings;
  if (program.kind === "installed" && settings.committed) {
    throw new KeyframeError("refused", `${path} is committed, so it cannot name a program of this machine`, {
      hint: "take it out of git (`git rm --cached`), or use `keyframe enable --shared`",
    });
  }
  const text = settingsText(path, state);
  if (state.kind === "file" && (state.mode & 0o200) === 0)
    throw new KeyframeError("refused", `${path} is read-only`, {
      hint: "make it writable and run the command again",
    });
  const after = withText(
    state,
    settingsEdit(path, () => addClaudeHooks(text, program)),
  );
  const had = text !== undefined && settingsEdit(path, () => hasClaudeHooks(text));
  const agent = "claude";
  if (sameState(state, after)) return { agent, path, standing: "on", changes: [] };
  const original = text === undefined ? state : withText(state, removeClaudeHooks(text));
  const why = "let Claude Code tell Keyframe about its edits";
  return {
    agent,
    path,
    standing: had ? "outdated" : "off",
    changes: [{ path, before: state, after, original, why }],
  };
}

/** `made`: paths that are about to come into being. One that was there before stays in sight. */
function planExclude(
  { hooks, settings, agentFiles, serverFiles, peers, exclude, ignored }: Situation,
  made: readonly string[],
): readonly InstallChange[] {
  const text = fileText(exclude.state) ?? "";
  const ours = [
    ...settings.filter(({ scope, committed }) => scope === "personal" && !committed),
    ...[...agentFiles, ...serverFiles, ...peers.map((peer) => peer.settings)].filter(({ workTreePath }) =>
      isExcludedByUs(text, workTreePath ?? ""),
    ),
    ...hooks,
  ].flatMap(({ workTreePath }) => workTreePath ?? []);
  const paths = [...new Set([...ours, ...made])].filter(
    (path) => !ignored.has(path) || isExcludedByUs(text, path),
  );
  const after = withText(exclude.state, setExcluded(text, paths));
  if (sameState(exclude.state, after) || paths.length === 0) return [];
  const original = exclude.state.kind === "absent" ? absent : withText(exclude.state, setExcluded(text, []));
  const why = "keep what is personal out of `git status`";
  return [{ path: exclude.path, before: exclude.state, after, original, why }];
}

/** Undefined where there are no settings: no file, or a blank one. */
function settingsText(path: string, state: FileState): string | undefined {
  if (state.kind === "symlink") {
    throw new KeyframeError("refused", `${path} is a symlink; Keyframe does not write through it`, {
      hint: "put a file of its own there",
    });
  }
  const text = fileText(state);
  return text?.trim() === "" ? undefined : text;
}

function settingsEdit<T>(path: string, edit: () => T): T {
  try {
    return edit();
  } catch (cause) {
    if (!(cause instanceof KeyframeError)) throw cause;
    throw new KeyframeError(cause.code, `cannot add hooks to ${path}: ${cause.message}`, {
      hint: "repair the file and run the command again",
    });
  }
}

function fileText(state: FileState): string | undefined {
  return state.kind === "file" ? state.content.toString("utf8") : undefined;
}

function withText(state: FileState, text: string): FileState {
  return textFile(text, state.kind === "file" ? state.mode : 0o644);
}
