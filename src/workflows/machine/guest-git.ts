import { join } from "node:path";
import { shellQuote } from "../../base/text/shell-words.ts";
import type { SandboxContext } from "../../sandbox/store/home.ts";

/** A repository in a machine, as an address of git. */
export function guestUrl(sandbox: string, directory: string): string {
  return `keyframe::${sandbox}${directory}`;
}

/** The environment in which git finds `git-remote-keyframe`, of this very installation. */
export function guestGitEnvironment(
  sandboxContext: SandboxContext,
  env: NodeJS.ProcessEnv,
): NodeJS.ProcessEnv {
  const folder = join(sandboxContext.home.root, "bin");
  const { node, entry } = sandboxContext.program;
  const script = `#!/bin/sh\nexec ${shellQuote(node)} ${shellQuote(entry)} remote-helper "$@"\n`;
  const path = join(folder, "git-remote-keyframe");
  if (sandboxContext.files.readIfExists(path)?.toString("utf8") !== script) {
    sandboxContext.files.makeFolder(folder, { mode: 0o700 });
    sandboxContext.files.replace(path, Buffer.from(script), { mode: 0o700 });
  }
  return {
    ...env,
    PATH: `${folder}:${env["PATH"] ?? ""}`,
    KEYFRAME_SANDBOX_HOME: sandboxContext.home.root,
  };
}
