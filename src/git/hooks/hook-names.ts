/** A git hook that Keyframe takes part in. */
export interface GitHook {
  readonly name: string;
  /** True if git tells the hook something on standard input. */
  readonly readsInput: boolean;
  /** `when-pending`: an idle repository is told so by the shell, without starting Keyframe. */
  readonly runs: "always" | "when-pending";
}

/** After each of these something may be there to settle; before a push, checkpoints and notes to push as well. */
export const gitHooks: readonly GitHook[] = [
  { name: "post-commit", readsInput: false, runs: "when-pending" },
  // notes of rewritten commits move on although nothing is pending
  { name: "post-rewrite", readsInput: true, runs: "always" },
  { name: "post-merge", readsInput: false, runs: "when-pending" },
  { name: "post-checkout", readsInput: false, runs: "when-pending" },
  // whether something is to be pushed is known from refs only
  { name: "pre-push", readsInput: true, runs: "always" },
];
