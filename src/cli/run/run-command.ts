import { buildCommand } from "@stricli/core";
import type { CliContext } from "../command/context.ts";
import { textFlag } from "../command/flags.ts";

export interface RunFlags {
  readonly in: "worktree" | "here";
  readonly name?: string;
  readonly agent?: string;
  readonly model?: string;
}

export const runCommand = buildCommand<RunFlags, string[], CliContext>({
  loader: async () => (await import("./run.ts")).run,
  parameters: {
    flags: {
      in: {
        kind: "enum",
        values: ["worktree", "here"],
        default: "worktree",
        brief: "Where it works: in a worktree of its own, or in this one",
      },
      name: textFlag(
        "Name of the worktree and of its branch keyframe/<name> (default: the program's name)",
        "name",
      ),
      agent: textFlag("Who is credited (default: the program's name)", "name"),
      model: textFlag("The model behind it", "name"),
    },
    positional: {
      kind: "array",
      minimum: 1,
      parameter: { parse: String, placeholder: "command", brief: "The program and its arguments, after --" },
    },
  },
  docs: {
    brief: "Run an agent, or any program, in a worktree of its own and credit it with what it writes",
    fullDescription: `Runs a program with the terminal in a worktree that begins as a copy of the present working copy, with the owners of its uncommitted lines, on a branch keyframe/<name>. The present worktree is not touched; \`--in here\` works in it. Ends with the program's exit code.

Agents that \`keyframe enable\` connects tell of their edits themselves. Any other program is credited with what differs between looks before it starts, at quiet moments, and when it has ended, as after a shell call of an agent; what somebody else writes there meanwhile, unseen by an editor, cannot be told apart. Commits that the program makes are credited too.

Examples:
  keyframe run -- claude "add retry"
  keyframe run --name retry -- aider --message "add a test"
  keyframe run --in here --agent formatter -- ./scripts/rewrite.sh`,
  },
});
