import { execFileSync } from "node:child_process";

let built = false;

/** Builds the program once, so that end-to-end tests run what a user would run, with the fault points at which they kill it. */
export default function setup(): void {
  if (built) return;
  built = true;
  execFileSync(process.execPath, ["scripts/build.mjs", "--faults"], { stdio: "inherit" });
}
