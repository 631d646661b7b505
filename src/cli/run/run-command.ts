import { buildCommand } from "@stricli/core";
import type { CliContext } from "../command/context.ts";
import { countFlag, textFlag, textsFlag } from "../command/flags.ts";

export interface RunFlags {
  readonly in: "worktree" | "sandbox" | "here";
  readonly name?: string;
  readonly image?: string;
  readonly allow?: readonly string[];
  readonly memory?: string;
  readonly cpus?: number;
  readonly agent?: string;
  readonly model?: string;
}

export const runCommand = buildCommand<RunFlags, string[], CliContext>({
  loader: async () => (await import("./run.ts")).run,
  parameters: {
    flags: {
      in: {
        kind: "enum",
        values: ["worktree", "sandbox", "here"],
        default: "worktree",
        brief: "Where it works: in a worktree of its own, in a machine of its own, or in this worktree",
      },
      name: textFlag(
        "Name of the worktree and of its branch keyframe/<name> (default: the program's name)",
        "name",
      ),
      image: textFlag("With --in sandbox: the image or snapshot that the machine starts from", "name"),
      allow: textsFlag("With --in sandbox: what the machine may reach beside the model", "rule"),
      memory: textFlag("With --in sandbox: memory of the machine (default: 2G)", "size"),
      cpus: countFlag("With --in sandbox: processors of the machine (default: 1)"),
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

With \`--in sandbox\` the agent (claude or codex) works in a virtual machine that holds the same working copy: its commits, notes and checkpoints come out at the end of each turn, the running machine is saved there, and the key of the model stays on this machine.

Examples:
  keyframe run -- claude "add retry"
  keyframe run --name retry -- aider --message "add a test"
  keyframe run --in sandbox --image dev -- claude "add retry"
  keyframe run --in here --agent formatter -- ./scripts/rewrite.sh`,
  },
});
