import type { AgentProgram } from "../../agents/settings/agent-program.ts";
import type { HookStart } from "../../agents/settings/hook-file.ts";
import { KeyframeError } from "../../base/errors.ts";
import { absent, type FileChange, type FileState, sameState, textFile } from "../../base/file-change.ts";
import type { InstallChange } from "../../git/hooks/plan.ts";
import type { AgentFile } from "./agent-files.ts";

export interface AgentPlan {
  readonly agent: string;
  readonly path: string;
  /** `committed`: its settings are, so they cannot name a program of this machine; `refused`: they cannot be edited. */
  readonly standing: "on" | "outdated" | "off" | "committed" | "refused";
  readonly changes: readonly InstallChange[];
}

/** What connecting an agent through one file changes. @throws KeyframeError if it cannot and the user `named` the agent */
export function planAgentFile(
  found: AgentFile,
  {
    installed,
    words = [],
    named = false,
    what = "tell Keyframe about its edits",
  }: { installed: AgentProgram; words?: readonly string[]; named?: boolean; what?: string },
): AgentPlan {
  const { connection, path, state } = found;
  const { agent, title } = connection;
  if (found.committed && !holdsHooks(found)) {
    if (!named) return { agent, path, standing: "committed", changes: [] };
    throw new KeyframeError("refused", `${path} is committed, so it cannot name a program of this machine`, {
      hint: "connect the agent in your home: `keyframe enable --global`",
    });
  }
  try {
    const after = addTo(found, { program: installed, words });
    if (sameState(state, after)) return { agent, path, standing: "on", changes: [] };
    const isThere = holdsHooks(found);
    const original = isThere ? removeFrom(found) : state;
    const why = `let ${title} ${what}`;
    return {
      agent,
      path,
      standing: isThere ? "outdated" : "off",
      changes: [{ path, before: state, after, original, why }],
    };
  } catch (cause) {
    if (!(cause instanceof KeyframeError)) throw cause;
    if (!named) return { agent, path, standing: "refused", changes: [] };
    throw new KeyframeError(cause.code, `cannot connect ${title} in ${path}: ${cause.message}`, {
      hint: "repair the file and run the command again",
    });
  }
}

export interface ServerPlanOptions {
  readonly installed: AgentProgram;
  readonly agents: ReadonlySet<string>;
  /** True if the user asked for servers; else only those that are there are kept up to date. */
  readonly wanted: boolean;
  readonly named?: boolean;
}

/** What naming Keyframe's server to agents changes, once `before` is done: hooks may be in the same file. */
export function planServerFiles(
  found: readonly AgentFile[],
  before: readonly AgentPlan[],
  { installed, agents, wanted, named = false }: ServerPlanOptions,
): AgentPlan[] {
  return found
    .filter((file) => agents.has(file.connection.agent) && (wanted || holdsHooks(file)))
    .map((file) => {
      const earlier = before.flatMap(({ changes }) => changes).find(({ path }) => path === file.path);
      const state = earlier?.after ?? file.state;
      const plan = planAgentFile({ ...file, state }, { installed, named, what: "ask Keyframe over MCP" });
      if (earlier === undefined) return plan;
      return { ...plan, changes: plan.changes.map((change) => ({ ...change, original: earlier.original })) };
    });
}

/** What taking all that is ours out of agents' files changes, one change for each file. */
export function planAgentFileRemovals(
  files: readonly AgentFile[],
  servers: readonly AgentFile[],
): FileChange[] {
  const changes = new Map(files.flatMap(planAgentFileRemoval).map((change) => [change.path, change]));
  for (const file of servers) {
    const earlier = changes.get(file.path);
    const [change] = planAgentFileRemoval({ ...file, state: earlier?.after ?? file.state });
    if (change !== undefined) changes.set(file.path, { ...change, before: file.state });
  }
  return [...changes.values()];
}

/** What taking our hooks out of the file changes. */
export function planAgentFileRemoval(found: AgentFile): FileChange[] {
  if (!holdsHooks(found)) return [];
  return [{ path: found.path, before: found.state, after: removeFrom(found), why: "taken back" }];
}

/** True if the file holds hooks of ours; one that cannot be read holds none. */
export function holdsHooks(found: AgentFile): boolean {
  return agentFilePrograms(found).length > 0;
}

/** What our hooks in the file start. */
export function agentFilePrograms({ file, state }: AgentFile): readonly AgentProgram[] {
  if (state.kind !== "file" || state.content.length === 0) return [];
  try {
    return file.programs(state.content.toString("utf8"));
  } catch {
    return []; // damaged: whoever edits it is told so
  }
}

function addTo({ file, state }: AgentFile, start: HookStart): FileState {
  if (state.kind === "symlink")
    throw new KeyframeError("refused", "it is a symlink, and Keyframe does not write through it");
  if (state.kind === "file" && (state.mode & 0o200) === 0)
    throw new KeyframeError("refused", "it is read-only");
  const text = state.kind === "file" ? state.content.toString("utf8") : undefined;
  const isBlank = text === undefined || text.trim() === "";
  const mode = file.isExecutable === true ? 0o755 : state.kind === "file" ? state.mode : 0o644;
  return textFile(file.add(isBlank ? undefined : text, start), mode);
}

function removeFrom({ file, state }: AgentFile): FileState {
  if (state.kind !== "file") return state;
  const text = file.remove(state.content.toString("utf8"));
  return text === undefined ? absent : textFile(text, state.mode);
}
