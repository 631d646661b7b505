import { execFileSync } from "node:child_process";

/** Builds the command line program once, so that end-to-end tests run what a user would run. */
export default function setup(): void {
  execFileSync(process.execPath, ["scripts/build.mjs"], { stdio: "inherit" });
}
