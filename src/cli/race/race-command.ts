import { buildCommand, buildRouteMap } from "@stricli/core";
import type { CliContext } from "../command/context.ts";
import { asText, countFlag, jsonFlag, switchFlag, textFlag, textsFlag } from "../command/flags.ts";

export interface StartFlags {
  readonly lane?: readonly string[];
  readonly count?: number;
  readonly prompt?: string;
  readonly promptFile?: string;
  readonly check?: readonly string[];
  readonly bench?: readonly string[];
  readonly setup?: string;
  readonly limit?: string;
  readonly tokens?: string;
  readonly turns?: number;
  readonly processes?: number;
  readonly disk?: string;
  readonly parallel?: number;
  readonly detach?: boolean;
  readonly in: "worktree" | "sandbox";
  readonly image?: string;
  readonly allow?: readonly string[];
  readonly memory?: string;
  readonly cpus?: number;
  readonly json?: boolean;
}

export interface RaceShowFlags {
  readonly watch?: boolean;
  readonly markdown?: boolean;
  readonly json?: boolean;
}

export interface AdoptFlags {
  readonly race?: string;
  readonly as?: "commits" | "squash";
  readonly only?: readonly string[];
  readonly undo?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

export interface RaceListFlags {
  readonly json?: boolean;
}

export interface DiffFlags {
  readonly race?: string;
}

export interface JudgeFlags extends RaceListFlags, DiffFlags {}

export interface OpenFlags extends RaceListFlags, DiffFlags {}

export interface DropFlags {
  readonly worktrees?: boolean;
  readonly force?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

const raceFlag = textFlag("The race (default: the newest)", "id");
const laneArgument = (brief: string) => ({ brief, parse: asText, placeholder: "lane" }) as const;
const raceArgument = {
  kind: "tuple",
  parameters: [{ brief: "The race (default: the newest)", parse: asText, placeholder: "id", optional: true }],
} as const;

const startCommand = buildCommand<StartFlags, [string?], CliContext>({
  loader: async () => (await import("./start.ts")).startRace,
  parameters: {
    flags: {
      lane: textsFlag("An agent, or name=command; may be given several times (default: claude)", "lane"),
      count: countFlag("Make this many lanes, repeating those given"),
      prompt: textFlag("The task, for every lane", "text"),
      promptFile: textFlag("Read the task from a file; - is standard input", "file"),
      check: textsFlag(
        "Run in each lane afterwards: a command, vitest=<command> (or node, jest, pytest, go, cargo), or junit=<pattern of reports> (or ctrf, tap)",
        "command",
      ),
      bench: textsFlag("A benchmark that prints `name value` lines; run three times", "command"),
      setup: textFlag("Run in each lane before its command", "command"),
      limit: textFlag(
        "Time limit of a lane's command and of each check, as 90s, 20m or 2h (default: 20m)",
        "time",
      ),
      tokens: textFlag("End a lane that uses more tokens, as 500k or 2M", "count"),
      turns: countFlag("End a lane whose model has answered more often"),
      processes: countFlag("End a lane that has more processes at once"),
      disk: textFlag("End a lane that has written more, as 2G", "size"),
      parallel: countFlag("Run this many lanes at once (default: 2)"),
      in: {
        kind: "enum",
        values: ["worktree", "sandbox"],
        default: "worktree",
        brief: "Where lanes work: in worktrees, or in machines of their own",
      },
      image: textFlag("With --in sandbox: the image or snapshot that the machines start from", "name"),
      allow: textsFlag("With --in sandbox: what they may reach beside the model", "rule"),
      memory: textFlag("With --in sandbox: memory of each machine (default: 2G)", "size"),
      cpus: countFlag("With --in sandbox: processors of each machine (default: 1)"),
      detach: switchFlag("Continue in the background; follow with `keyframe race show --watch`"),
      json: jsonFlag,
    },
    positional: {
      kind: "tuple",
      parameters: [
        {
          brief: "Begin at this moment (see keyframe timeline) instead of the working copy as it is now",
          parse: asText,
          placeholder: "moment",
          optional: true,
        },
      ],
    },
    aliases: { n: "count" },
  },
  docs: {
    brief: "Give the same task to several agents, each in a worktree or a machine of its own",
    fullDescription:
      "Every lane begins with the working copy as it is now: staged, unstaged and untracked files. Your checkout is not\n" +
      "touched. When a lane's command has ended, the checks run in it, one lane after the other, and in the base first.\n" +
      "Exits with 0 if some lane passed every check.\n\n" +
      "With --in sandbox the setup command runs once, in a machine that holds the working copy; every lane, and its checks,\n" +
      "run in a copy of that machine. Commits, owners and conversations come out; the key of the model stays here.\n\n" +
      "Examples:\n" +
      '  keyframe race start --lane claude --lane codex --prompt "fix the failing test" --check "npm test"\n' +
      '  keyframe race start -n 3 --prompt-file task.md --check "npm test" --check junit=reports/*.xml --setup "npm ci"',
  },
});

const listCommand = buildCommand<RaceListFlags, [], CliContext>({
  loader: async () => (await import("./show.ts")).listAll,
  parameters: { flags: { json: jsonFlag } },
  docs: {
    brief: "List the races of this repository",
    fullDescription: "The newest first.\n\nExample:\n  keyframe race list",
  },
});

const showCommand = buildCommand<RaceShowFlags, [string?], CliContext>({
  loader: async () => (await import("./show.ts")).showRace,
  parameters: {
    flags: {
      watch: switchFlag("Print again whenever a lane changes, until all have ended"),
      markdown: switchFlag("Print a Markdown table"),
      json: jsonFlag,
    },
    positional: raceArgument,
  },
  docs: {
    brief: "Compare the lanes of a race by facts: checks, tests, diff, tokens, time",
    fullDescription: "No lane is hidden and none is judged.\n\nExample:\n  keyframe race show --watch",
  },
});

const diffCommand = buildCommand<DiffFlags, [string, string?], CliContext>({
  loader: async () => (await import("./diff.ts")).diffLanes,
  parameters: {
    flags: { race: raceFlag },
    positional: {
      kind: "tuple",
      parameters: [
        laneArgument("A lane"),
        { ...laneArgument("Another lane (default: the base)"), optional: true },
      ],
    },
  },
  docs: {
    brief: "Show what a lane changed, or how two lanes differ",
    fullDescription: "Example:\n  keyframe race diff claude codex",
  },
});

const judgeCommand = buildCommand<JudgeFlags, [string], CliContext>({
  loader: async () => (await import("./judge.ts")).judge,
  parameters: {
    flags: { race: raceFlag, json: jsonFlag },
    positional: {
      kind: "tuple",
      parameters: [
        {
          brief: "A shell command that reads the task and the changes",
          parse: asText,
          placeholder: "command",
        },
      ],
    },
  },
  docs: {
    brief: "Let a command of yours compare the lanes without knowing whose they are",
    fullDescription:
      "It gets the task and each lane's change on standard input, as candidates A, B, ... in random order, and runs in an\n" +
      "empty directory. What it says is printed, then which lane each letter was. Nothing is adopted by it.\n\n" +
      "Example:\n  keyframe race judge 'claude -p \"Which candidate solves the task best, and why?\"'",
  },
});

const openCommand = buildCommand<OpenFlags, [string], CliContext>({
  loader: async () => (await import("./diff.ts")).openLane,
  parameters: {
    flags: { race: raceFlag, json: jsonFlag },
    positional: { kind: "tuple", parameters: [laneArgument("The lane")] },
  },
  docs: {
    brief: "Print where a lane's worktree, log and conversations are",
    fullDescription: 'Example:\n  cd "$(keyframe race open claude)"',
  },
});

const adoptCommand = buildCommand<AdoptFlags, [string?], CliContext>({
  loader: async () => (await import("./adopt.ts")).adoptLane,
  parameters: {
    flags: {
      race: raceFlag,
      as: {
        kind: "enum",
        values: ["commits", "squash"],
        optional: true,
        brief: "Keep the lane's commits, or make them one (default: commits)",
      },
      only: textsFlag("Only this file or directory; may be given several times", "path"),
      undo: switchFlag("Take the adoption back, while nothing was built on it"),
      dryRun: switchFlag("Show what would be adopted"),
      json: jsonFlag,
    },
    positional: { kind: "tuple", parameters: [{ ...laneArgument("The lane"), optional: true }] },
  },
  docs: {
    brief: "Bring a lane's work to your branch, with its authors and conversations",
    fullDescription:
      "Moves the branch on to the lane's commits, or replays them where the branch has moved. Conflicts are found before\n" +
      "anything is touched; your other uncommitted changes stay.\n\n" +
      "Examples:\n  keyframe race adopt codex\n  keyframe race adopt claude --only src/parser\n  keyframe race adopt --undo",
  },
});

const dropCommand = buildCommand<DropFlags, [string?], CliContext>({
  loader: async () => (await import("./drop.ts")).drop,
  parameters: {
    flags: {
      worktrees: switchFlag("Only the worktrees; commits, conversations and results stay"),
      force: switchFlag("Also work that exists nowhere else"),
      dryRun: switchFlag("Show what would be removed"),
      json: jsonFlag,
    },
    positional: raceArgument,
  },
  docs: {
    brief: "Remove a race: worktrees, refs, logs and results",
    fullDescription: "Example:\n  keyframe race drop --worktrees",
  },
});

const superviseCommand = buildCommand<object, [string], CliContext>({
  loader: async () => (await import("./start.ts")).superviseRace,
  parameters: {
    flags: {},
    positional: { kind: "tuple", parameters: [{ brief: "The race", parse: asText, placeholder: "id" }] },
  },
  docs: {
    brief: "Run or finish a race that was started, in the foreground",
    fullDescription: "Example:\n  keyframe race continue 3f2a91c0",
  },
});

export const raceRoutes = buildRouteMap<string, CliContext>({
  routes: {
    start: startCommand,
    list: listCommand,
    show: showCommand,
    diff: diffCommand,
    judge: judgeCommand,
    open: openCommand,
    adopt: adoptCommand,
    drop: dropCommand,
    continue: superviseCommand,
  },
  aliases: { ls: "list", info: "show" },
  docs: {
    brief: "Races: the same task for several agents, compared by facts, the winner adopted with its authors",
    fullDescription: "See docs/race.md.",
  },
});
