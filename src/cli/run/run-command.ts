import { buildCommand } from "@stricli/core";
import type { CliContext } from "../command/context.ts";

export interface RunFlags {
  readonly in: "here";
  readonly agent?: string;
  readonly model?: string;
}

export const runCommand = buildCommand<RunFlags, string[], CliContext>({
  loader: async () => (await import("./run.ts")).run,
  parameters: {
    flags: {
      in: { kind: "enum", values: ["here"], default: "here", brief: "Where it works: in this work tree" },
      agent: {
        kind: "parsed",
        parse: String,
        optional: true,
        placeholder: "name",
        brief: "Who is credited (default: the program's name)",
      },
      model: {
        kind: "parsed",
        parse: String,
        optional: true,
        placeholder: "name",
        brief: "The model behind it",
      },
    },
    positional: {
      kind: "array",
      minimum: 1,
      parameter: { parse: String, placeholder: "command", brief: "The program and its arguments, after --" },
    },
  },
  docs: {
    brief: "Run a program and credit it with what it writes: for agents that have no hooks",
    fullDescription: `Runs a program in this work tree, with the terminal, and credits it with what it leaves there: what differs between looks before it starts, at quiet moments, and when it has ended, as after a shell call of an agent. What somebody else writes meanwhile, unseen by an editor, cannot be told apart. Commits that the program makes are credited too. Ends with the program's exit code.

Agents that \`keyframe enable\` connects need no such run: their own hooks say more.

Examples:
  keyframe run --in here -- aider --message "add a test"
  keyframe run --agent formatter -- ./scripts/rewrite.sh`,
  },
});
