/** A git hook that Keyframe takes part in. */
export interface GitHook {
  readonly name: string;
  /** True if git tells the hook something on standard input. */
  readonly readsInput: boolean;
  /**
   * `when-pending`: an idle repository is told so by the shell, without starting Keyframe. `when-marked`: only one of
   * the hook's own marks starts it.
   */
  readonly runs: "always" | "when-pending" | "when-marked";
  /** Further files that start it, below `<git dir>/keyframe/`; shell patterns. */
  readonly marks: readonly string[];
}

const prepared = "commit/prepared/*.json";

export const gitHooks: readonly GitHook[] = [
  {
    name: "prepare-commit-msg",
    readsInput: false,
    runs: "when-pending",
    marks: ["commit/linked", "commit/attached.json"],
  },
  { name: "commit-msg", readsInput: false, runs: "when-marked", marks: ["commit/editing"] },
  // after each of these something may be there to settle
  { name: "post-commit", readsInput: false, runs: "when-pending", marks: [prepared] },
  // notes of rewritten commits move on although nothing is pending
  { name: "post-rewrite", readsInput: true, runs: "always", marks: [] },
  { name: "post-merge", readsInput: false, runs: "when-pending", marks: [prepared] },
  { name: "post-checkout", readsInput: false, runs: "when-pending", marks: [prepared] },
  // whether something is to be pushed is known from refs only
  { name: "pre-push", readsInput: true, runs: "always", marks: [] },
];
