import type { Machine } from "../../system/machine/machine.ts";

const maxAncestors = 8;

/** `git <command> -q` says only what went wrong, and so does what it starts. */
export function isQuietGit(processTable: Machine["processTable"], command: "push" | "commit"): boolean {
  return processTable.ancestors(maxAncestors).some(({ pid, program }) => {
    const args = program === "git" ? processTable.argumentsOf(pid) : [];
    return args.includes(command) && args.some((arg) => arg === "--quiet" || /^-[a-zA-Z]*q/.test(arg));
  });
}
