/** A git hook that Keyframe takes part in. */
export interface GitHook {
  readonly name: string;
  /** When git runs it, as a part of "run Keyframe ...". */
  readonly moment: string;
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
    moment: "before the commit message is edited",
    readsInput: false,
    runs: "when-pending",
    marks: ["commit/linked", "commit/attached.json"],
  },
  {
    name: "commit-msg",
    moment: "before git takes the commit message",
    readsInput: false,
    runs: "when-marked",
    marks: ["commit/editing"],
  },
  // after each of these something may be there to settle
  {
    name: "post-commit",
    moment: "after a commit",
    readsInput: false,
    runs: "when-pending",
    marks: [prepared],
  },
  // notes of rewritten commits move on although nothing is pending
  { name: "post-rewrite", moment: "after an amend or a rebase", readsInput: true, runs: "always", marks: [] },
  {
    name: "post-merge",
    moment: "after a merge or a pull",
    readsInput: false,
    runs: "when-pending",
    marks: [prepared],
  },
  {
    name: "post-checkout",
    moment: "after a checkout",
    readsInput: false,
    runs: "when-pending",
    marks: [prepared],
  },
  // whether something is to be pushed is known from refs only
  { name: "pre-push", moment: "before git pushes", readsInput: true, runs: "always", marks: [] },
];
