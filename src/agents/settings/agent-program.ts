import { shellQuote, shellUnquote } from "../../base/text/shell-words.ts";

/** How a hook command finds Keyframe. */
export type AgentProgram =
  /** This installation, by absolute paths of Node and of the entry: for settings that stay on this machine. */
  | { readonly kind: "installed"; readonly node: string; readonly entry: string }
  /** Whatever `keyframe` is on the PATH, and nothing where there is none: for settings that are committed. */
  | { readonly kind: "on-path" };

/**
 * A POSIX shell command that runs a hook. It prints nothing and ends with 0 whatever happens, even without Keyframe.
 * `words` follow the agent's name: the event, and where the hook may record.
 */
export function agentHookCommand(
  program: AgentProgram,
  agent: string,
  words: readonly string[] = [],
): string {
  const hook = ["hook", agent, ...words].join(" ");
  const run =
    program.kind === "installed"
      ? `${shellQuote(program.node)} ${shellQuote(program.entry)} ${hook} 2>/dev/null`
      : `command -v keyframe >/dev/null 2>&1 && keyframe ${hook} 2>/dev/null`;
  return `${run} || :`;
}

/** True for a command that any version of `hookCommand` wrote. */
export function isHookCommand(command: string, agent: string): boolean {
  return new RegExp(String.raw`(?:^|[\s/'"])(?:keyframe(?:\.cjs)?|kf)['"]?\s+hook\s+${agent}(?:\s|$)`).test(
    command,
  );
}

/** The program that a hook command starts; undefined if `hookCommand` did not write it. */
export function parseHookCommand(command: string, agent: string): AgentProgram | undefined {
  if (command.startsWith(`command -v keyframe >/dev/null 2>&1 && keyframe hook ${agent} `))
    return { kind: "on-path" };
  const word = String.raw`('(?:[^']|'\\'')*'|[A-Za-z0-9_/.:@%+=,-]+)`;
  const match = new RegExp(`${word} ${word} hook ${agent} `).exec(command);
  if (match?.[1] === undefined || match[2] === undefined) return undefined;
  return { kind: "installed", node: shellUnquote(match[1]), entry: shellUnquote(match[2]) };
}
