/**
 * Options of git before `blame`: which lines a commit is held to have added is then what our patches say (patch.ts),
 * on every machine, whatever the user's `diff.*` configuration.
 */
export const fixedLineChoice = ["-c", "diff.indentHeuristic=true", "-c", "diff.algorithm=myers"] as const;
