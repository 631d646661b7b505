import { buildCommand } from "@stricli/core";
import type { CliContext } from "../command/context.ts";
import { countFlag, jsonFlag, switchFlag, textFlag, textsFlag } from "../command/flags.ts";

export interface ForkFlags {
  readonly name?: string;
  readonly count?: number;
  readonly path?: string;
  readonly in: "worktree" | "sandbox";
  readonly run?: readonly string[];
  readonly list?: boolean;
  readonly remove?: boolean;
  readonly force?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

export const forkCommand = buildCommand<ForkFlags, string[], CliContext>({
  loader: async () => (await import("./fork.ts")).fork,
  parameters: {
    flags: {
      name: textFlag("Name of the fork and of its branch keyframe/<name> (default: the moment's id)", "name"),
      in: {
        kind: "enum",
        values: ["worktree", "sandbox"],
        default: "worktree",
        brief: "Where it continues: in a worktree, or in a copy of the machine that the moment had",
      },
      count: countFlag("Make this many forks (default: 1)"),
      path: textFlag(
        "Where to make the worktree (default: <repository>.forks/<name>, beside the repository)",
        "directory",
      ),
      run: textsFlag(
        "Give each fork's conversation this prompt and wait for it; several times: one for each fork",
        "prompt",
      ),
      list: switchFlag("List the forks of this repository"),
      remove: switchFlag("Remove the fork of this name: worktree, branch and conversation copies"),
      force: switchFlag("With --remove: also work that exists nowhere else"),
      dryRun: switchFlag("Show what would be made or removed"),
      json: jsonFlag,
    },
    aliases: { n: "count" },
    positional: {
      kind: "array",
      parameter: {
        brief:
          "The moment to fork (see `keyframe timeline`), or with --remove the name of a fork; after --, arguments for the agents that --run starts",
        parse: String,
        placeholder: "moment",
      },
    },
  },
  docs: {
    brief: "Make a worktree that continues from a moment: files, owners and conversation",
    fullDescription:
      "Each fork is a worktree on a branch of its own, with the files of the moment (untracked ones included), the owners of\n" +
      "uncommitted lines, and a copy of each conversation that its agent continues under an id of its own. The present\n" +
      "worktree is not touched. Ignored files come along where `.worktreeinclude` names them. With --run the agents work without\n" +
      "a terminal, may edit files, and do what else their own settings or the arguments after -- allow.\n\n" +
      "Examples:\n  keyframe fork 3f2a91c04d5e -n 3 --name retry\n  keyframe fork 3f2a91c04d5e --run 'use a queue' --run 'use a lock'\n  keyframe fork --list\n  keyframe fork --remove retry-2",
  },
});
