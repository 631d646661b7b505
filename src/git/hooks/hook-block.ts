import type { GitHook } from "./hook-names.ts";

/** What a hook runs; both parts are POSIX shell text. */
export interface HookAction {
  /** Words that make up a loop's list: the program runs if one of them names something that exists. */
  readonly pendingPaths: string;
  /** The program and its first arguments; the hook's name and arguments follow. */
  readonly command: string;
  /** Quoted path of a file without which the program cannot run. */
  readonly requires: string;
}

const opening = "# >>> keyframe >>>";
const closing = "# <<< keyframe <<<";
const blockPattern = new RegExp(`^${opening}[^\\n]*\\n[\\s\\S]*?^${closing}\\n`, "m");

/** Directory beside the hooks that keeps those which no text can be added to, each under its own name. */
export const chainedFolder = "keyframe-chained";

/**
 * The lines of a hook that are Keyframe's. They start Keyframe only if something is pending, never fail the hook,
 * and leave arguments, standard input and `$0` to what follows.
 */
export function hookBlock(hook: GitHook, action: HookAction): string {
  const run = hook.readsInput
    ? `printf '%s\\n' "$keyframe_input" | ${action.command} ${hook.name} "$@" || :`
    : `${action.command} ${hook.name} "$@" </dev/null || :`;
  const lines = [
    `${opening} put here by \`keyframe enable\`, taken out by \`keyframe disable --uninstall\``,
    ...(hook.readsInput ? ["keyframe_input=$(cat)"] : []),
    ...(hook.runs === "always"
      ? [`if [ -e ${action.requires} ]; then ${run}; fi`]
      : [
          `for keyframe_pending in ${startingPaths(hook, action)}; do`,
          `  [ -e "$keyframe_pending" ] && [ -e ${action.requires} ] || continue`,
          `  ${run}`,
          "  break",
          "done",
        ]),
    // what follows finds its standard input as git gave it
    ...(hook.readsInput
      ? [
          'if [ -n "$keyframe_input" ]; then exec <<KEYFRAME_INPUT',
          "$keyframe_input",
          "KEYFRAME_INPUT",
          "else exec </dev/null; fi",
        ]
      : []),
    closing,
  ];
  return `${lines.join("\n")}\n`;
}

function startingPaths({ runs, marks }: GitHook, { pendingPaths }: HookAction): string {
  const own = marks.map((mark) => `"\${GIT_DIR:-.git}"/keyframe/${mark}`);
  return [...(runs === "when-pending" ? [pendingPaths] : []), ...own].join(" ");
}

/** A hook where there was none, or in place of one that the block cannot be added to: that one is then run after it. */
export function wholeHook(hook: GitHook, action: HookAction): string {
  return `#!/bin/sh
${hookBlock(hook, action)}# a hook that was here before; not when another tool has moved this file aside and runs it itself
keyframe_chained=$(dirname "$0")/${chainedFolder}/${hook.name}
case "$0" in
  */${hook.name}) if [ -x "$keyframe_chained" ]; then exec "$keyframe_chained" "$@"; fi ;;
esac
exit 0
`;
}

/** True for a text that `wholeHook` wrote, with whatever block. */
export function isWholeHook(text: string): boolean {
  return text.startsWith(`#!/bin/sh\n${opening}`) && text.includes("\nkeyframe_chained=");
}

export function hasBlock(text: string): boolean {
  return blockPattern.test(text);
}

/** The script with the block after its first line; undefined if it is not one of a plain POSIX shell. */
export function insertBlock(script: string, block: string): string | undefined {
  const shebang =
    /^#![ \t]*(?:\/usr)?(?:\/local)?\/bin\/(?:env[ \t]+)?(?:ba|da|k|a)?sh(?:[ \t][^\r\n]*)?\n/.exec(script);
  if (shebang === null || script.includes("\0")) return undefined;
  return shebang[0] + block + script.slice(shebang[0].length);
}

export function removeBlock(script: string): string {
  return script.replace(blockPattern, "");
}
