import { execFileSync } from "node:child_process";

let built = false;

/** Builds the command line program once, so that end-to-end tests run what a user would run. */
export default function setup(): void {
  if (built) return;
  built = true;
  execFileSync(process.execPath, ["scripts/build.mjs"], { stdio: "inherit" });
}
