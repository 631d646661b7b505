/**
 * How known agents do a task without a terminal: what follows the program's name. The prompt is the last argument.
 * They may edit files; whatever else they may do is up to the user's own settings and to a command of their own.
 */
const headless: ReadonlyMap<string, readonly string[]> = new Map([
  ["claude", ["-p", "--permission-mode", "acceptEdits"]],
  ["codex", ["exec", "--sandbox", "workspace-write"]],
  ["gemini", ["--approval-mode", "auto_edit", "-p"]],
  ["qwen", ["--approval-mode", "auto-edit", "-p"]],
  ["copilot", ["--allow-all-tools", "-p"]],
  ["opencode", ["run"]],
  ["pi", ["-p"]],
]);

export function headlessArguments(program: string): readonly string[] | undefined {
  return headless.get(program);
}

export interface NextPrompt {
  readonly tool: string;
  /** The conversation that is continued. */
  readonly session: string;
  readonly prompt: string;
  /** Arguments of the user's, passed on to the agent. */
  readonly more: readonly string[];
  /** Others continue the same conversation too: it gets an id of its own, where the agent can give it one. */
  readonly isShared?: boolean;
}

type Continue = (next: NextPrompt) => readonly string[];

const continued: ReadonlyMap<string, Continue> = new Map<string, Continue>([
  [
    "claude",
    ({ session, prompt, more, isShared }) => [
      ...["--permission-mode", "acceptEdits", ...more, "--resume", session],
      ...(isShared === true ? ["--fork-session"] : []),
      ...["-p", prompt],
    ],
  ],
  // neither `exec resume` nor `exec fork` has --sandbox
  [
    "codex",
    ({ session, prompt, more, isShared }) => [
      "exec",
      isShared === true ? "fork" : "resume",
      "-c",
      'sandbox_mode="workspace-write"',
      ...more,
      session,
      prompt,
    ],
  ],
  [
    "qwen",
    ({ session, prompt, more }) => [
      "--approval-mode",
      "auto-edit",
      ...more,
      "--resume",
      session,
      "-p",
      prompt,
    ],
  ],
  [
    "copilot",
    ({ session, prompt, more }) => ["--allow-all-tools", ...more, "--resume", session, "-p", prompt],
  ],
  ["pi", ({ session, prompt, more }) => [...more, "--session", session, "-p", prompt]],
]);

/** The program and its arguments that give a conversation its next prompt; undefined for agents of which that is not known. */
export function continueHeadless(
  next: NextPrompt,
): { readonly program: string; readonly args: readonly string[] } | undefined {
  const args = continued.get(next.tool);
  return args === undefined ? undefined : { program: next.tool, args: args(next) };
}
