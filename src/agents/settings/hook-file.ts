import { KeyframeError } from "../../base/errors.ts";
import { type AgentProgram, agentHookCommand, parseHookCommand } from "./agent-program.ts";
import { addJsonHooks, type JsonHookShape, jsonHookCommands, removeJsonHooks } from "./json-hooks.ts";

/** How the hooks in a file start Keyframe. */
export interface HookStart {
  readonly program: AgentProgram;
  /** Where they may record (`--where-enabled`), for files that serve every repository. */
  readonly words: readonly string[];
}

/** One file that connects an agent: text in, text out. */
export interface HookFile {
  /** From the top of the work tree, or from the user's home. */
  readonly path: string;
  readonly isExecutable?: boolean;
  /** The text with our hooks in it; all else keeps its bytes. @throws KeyframeError `invalid-input`, `refused` */
  readonly add: (text: string | undefined, start: HookStart) => string;
  /** The text without our hooks; undefined where the whole file is ours. */
  readonly remove: (text: string) => string | undefined;
  /** What our hooks in the text start; none: it holds no hook of ours. */
  readonly programs: (text: string) => readonly AgentProgram[];
}

/** A settings file that lists hooks by event. */
export function jsonHookFile(
  path: string,
  agent: string,
  shapeOf: (command: (event?: string) => string) => Omit<JsonHookShape, "agent">,
): HookFile {
  const shape = ({ program, words }: HookStart): JsonHookShape => ({
    agent,
    ...shapeOf((event) => agentHookCommand(program, agent, event === undefined ? words : [event, ...words])),
  });
  const { top } = shapeOf(() => "");
  return {
    path,
    add: (text, start) => addJsonHooks(text, shape(start)),
    remove: (text) => removeJsonHooks(text, { agent, ...(top === undefined ? {} : { top }) }),
    programs: (text) => programsOf(jsonHookCommands(text, agent), agent),
  };
}

function programsOf(commands: readonly string[], agent: string): AgentProgram[] {
  return commands.flatMap((command) => parseHookCommand(command, agent) ?? []);
}

/** In the first lines of a file that is all ours. */
const ownMark = "written by `keyframe enable`, removed by `keyframe disable --uninstall`";

/** A file that Keyframe makes and nobody else writes. */
export function ownFile(
  path: string,
  agent: string,
  {
    comment,
    textOf,
    head = "",
    isExecutable = false,
  }: {
    /** What begins a comment line; empty where the format has none and the path tells enough. */
    readonly comment: string;
    readonly textOf: (start: HookStart) => string;
    /** Lines that must come first. */
    readonly head?: string;
    readonly isExecutable?: boolean;
  },
): HookFile {
  const isOwn = (text: string) =>
    comment === "" ? text.includes(` hook ${agent} `) : text.includes(ownMark);
  return {
    path,
    isExecutable,
    add(text, start) {
      if (text !== undefined && !isOwn(text))
        throw new KeyframeError("refused", "somebody else's file is there");
      const mark = comment === "" ? "" : `${comment} Connects ${agent} to Keyframe: ${ownMark}.\n`;
      return head + mark + textOf(start);
    },
    remove: (text) => (isOwn(text) ? undefined : text),
    programs: (text) => (isOwn(text) ? programsInText(text, agent) : []),
  };
}

/** In a plugin the program is a list of words; elsewhere it is a shell command. */
function programsInText(text: string, agent: string): AgentProgram[] {
  const words = /^const program = (\[.*\]);$/m.exec(text)?.[1];
  if (words !== undefined) {
    const [node, entry] = JSON.parse(words) as string[];
    if (node === undefined) return [];
    return [entry === undefined ? { kind: "on-path" } : { kind: "installed", node, entry }];
  }
  const commands = text.split("\n").flatMap((line) => {
    const value = /"(?:bash|command)": ("(?:[^"\\]|\\.)*")/.exec(line)?.[1];
    return value === undefined ? line : (JSON.parse(value) as string);
  });
  return programsOf(commands, agent).slice(0, 1);
}
