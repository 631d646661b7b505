import { buildCommand } from "@stricli/core";
import { connectableAgents as agentNames } from "../../agents/connectable-agents.ts";
import { KeyframeError } from "../../base/errors.ts";
import type { CliContext } from "../command/context.ts";

export interface EnableFlags {
  readonly agent?: readonly string[];
  readonly global?: boolean;
  readonly everywhere?: boolean;
  readonly shared?: boolean;
  readonly takeOver?: boolean;
  readonly mcp?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

/** @throws KeyframeError `usage` for a name that nobody knows */
function parseAgents(text: string): readonly string[] {
  const names = text.split(",").map((name) => name.trim());
  const unknown = names.find((name) => !agentNames.includes(name));
  if (unknown === undefined) return names;
  throw new KeyframeError("usage", `no agent is called ${JSON.stringify(unknown)}`, {
    hint: `agents: ${agentNames.join(", ")}`,
  });
}

/** The names that may stand after the last comma. */
function proposeAgents(partial: string): readonly string[] {
  const before = partial.slice(0, partial.lastIndexOf(",") + 1);
  return agentNames.map((name) => before + name).filter((words) => words.startsWith(partial));
}

export const enableCommand = buildCommand<EnableFlags, [], CliContext>({
  loader: async () => (await import("./enable.ts")).enable,
  parameters: {
    flags: {
      agent: {
        kind: "parsed",
        parse: parseAgents,
        optional: true,
        placeholder: "names",
        proposeCompletions: (partial) => proposeAgents(partial),
        brief: "Only these agents, by comma (default: Claude Code and all that are found)",
      },
      global: {
        kind: "boolean",
        optional: true,
        withNegated: false,
        brief: "Connect the agents in your home instead, for all repositories where Keyframe is on",
      },
      everywhere: {
        kind: "boolean",
        optional: true,
        withNegated: false,
        brief:
          "With --global: also record where nobody has run `keyframe enable`, unless it was disabled there",
      },
      shared: {
        kind: "boolean",
        optional: true,
        withNegated: false,
        brief: "Also write the settings that are committed, for everyone who has keyframe on the PATH",
      },
      takeOver: {
        kind: "boolean",
        optional: true,
        withNegated: false,
        brief:
          "Also switch off Entire and git-ai in this repository; `keyframe disable --uninstall` gives them back",
      },
      mcp: {
        kind: "boolean",
        optional: true,
        withNegated: false,
        brief:
          "Also name `keyframe mcp` in the agents' settings, so that they can ask who wrote what and why",
      },
      dryRun: {
        kind: "boolean",
        optional: true,
        withNegated: false,
        brief: "Show the plan and change nothing",
      },
      json: { kind: "boolean", optional: true, withNegated: false, brief: "Print JSON" },
    },
  },
  docs: {
    brief: "Turn Keyframe on in this repository: git hooks and agent hooks",
    fullDescription:
      "Installs git hooks and the agents' hooks in this repository and all its worktrees. Existing hooks keep working. Run it again to repair or update.\n\nExample:\n  keyframe enable --dry-run\n  keyframe enable --agent claude,codex\n  keyframe enable --mcp\n  keyframe enable --take-over\n  keyframe enable --global",
  },
});
