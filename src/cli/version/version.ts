import { keyframeVersion } from "../../base/version.ts";
import type { CliContext } from "../command/context.ts";

/** Prints the versions that a bug report needs. */
export async function version(this: CliContext, flags: { readonly json?: boolean }): Promise<void> {
  const git = await this.processes.run("git", ["--version"]);
  const versions = {
    keyframe: keyframeVersion,
    node: process.versions.node,
    git: git.stdout.toString("utf8").replace("git version", "").trim(),
  };
  if (flags.json) return this.terminal.json(versions);
  for (const [name, value] of Object.entries(versions)) this.terminal.out(`${name} ${value}`);
}
