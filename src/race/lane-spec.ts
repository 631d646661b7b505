import { headlessArguments } from "../agents/headless-commands.ts";
import { KeyframeError } from "../base/errors.ts";
import { isForkName } from "../timeline/fork-name.ts";

/** One competitor: a name and the shell command that does the task. */
export interface LaneSpec {
  readonly name: string;
  /** Runs in the lane's worktree with the prompt on standard input and in KEYFRAME_PROMPT. */
  readonly command: string;
}

export const maxLanes = 16;

/**
 * `claude`, `name=claude --model x` or `name=any shell command`. A command that begins with a known agent and names none
 * of its headless arguments gets them and the prompt. @throws KeyframeError `usage`
 */
export function parseLane(text: string): LaneSpec {
  const named = /^([A-Za-z0-9][A-Za-z0-9._-]{0,31})=(.+)$/s.exec(text);
  const command = (named?.[2] ?? text).trim();
  const name = named?.[1] ?? command.split(/\s/)[0] ?? "";
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$/.test(name) || !isForkName(name) || reserved.has(name)) {
    throw new KeyframeError("usage", `not a lane: ${JSON.stringify(text.slice(0, 100))}`, {
      hint: "write an agent (`claude`), or `name=command`",
    });
  }
  return { name, command: withHeadlessArguments(command) };
}

const reserved: ReadonlySet<string> = new Set(["base"]);

function withHeadlessArguments(command: string): string {
  const [program = "", ...words] = command.split(/\s+/);
  const args = headlessArguments(program);
  const first = args?.[0];
  if (args === undefined || first === undefined || words.includes(first) || words.includes("-p"))
    return command;
  // a subcommand comes first, options of the user after it
  const own = words.join(" ");
  const rest = first.startsWith("-") ? [own, ...args] : [...args, own];
  return `${[program, ...rest].filter(Boolean).join(" ")} "$KEYFRAME_PROMPT"`;
}

/** Distinct names: a second `claude` becomes `claude-2`. @throws KeyframeError `usage` */
export function parseLanes(texts: readonly string[], count: number | undefined): LaneSpec[] {
  const wanted = texts.length === 0 ? ["claude"] : texts;
  const all =
    count === undefined ? wanted : Array.from({ length: count }, (_, at) => wanted[at % wanted.length] ?? "");
  if (all.length < 1 || all.length > maxLanes)
    throw new KeyframeError("usage", `a race has 1 to ${maxLanes} lanes, got ${all.length}`);
  const names = new Set<string>();
  return all.map((text) => {
    const lane = parseLane(text);
    let name = lane.name;
    for (let number = 2; names.has(name); number += 1) name = `${lane.name}-${number}`;
    names.add(name);
    return { ...lane, name };
  });
}
