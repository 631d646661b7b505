/** A git hook that Keyframe takes part in. */
export interface GitHook {
  readonly name: string;
  /** True if git tells the hook something on standard input. */
  readonly readsInput: boolean;
}

/** After each of these something may be there to settle. */
export const gitHooks: readonly GitHook[] = [
  { name: "post-commit", readsInput: false },
  { name: "post-rewrite", readsInput: true },
  { name: "post-merge", readsInput: false },
  { name: "post-checkout", readsInput: false },
];
