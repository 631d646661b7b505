#!/usr/bin/env node
// The program's entry. What hooks do is one file each; every other command is a chunk of its own.

import { loadCompiled } from "./compiled-file.ts";

/** Written in by the build. */
declare const readingCommands: readonly string[];

const argv = process.argv.slice(2);
if (argv[0] === "hook" && !argv.includes("--help")) {
  const { runHook } = loadFile("hook") as typeof import("./hook.ts");
  const done = runHook(argv.slice(1), {
    loadSettle: async () => (loadFile("settle") as typeof import("../cli/hooks/settle.ts")).settleInHook,
    loadPush: async () => (loadFile("push") as typeof import("../cli/hooks/push.ts")).pushInHook,
    loadSession: async () => (loadFile("session") as typeof import("../cli/hooks/session.ts")).sessionInHook,
    loadCommit: async () => (loadFile("commit") as typeof import("../cli/hooks/commit.ts")).commitInHook,
    loadHooks: async () =>
      (loadFile("restore-hooks") as typeof import("../cli/hooks/restore-hooks.ts")).hooksInHook,
    loadAgents: async () => (loadFile("agents") as typeof import("../cli/hooks/agents.ts")).findAgentAdapter,
  });
  // nothing is left to wait for, and taking the environment down takes a millisecond
  void done.then(() => process.exit());
} else runCommandLine();

function runCommandLine(): void {
  loadCommandLine()
    .then(({ main }) => main(argv))
    .catch((error: unknown) => {
      process.stderr.write(
        `keyframe: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
      );
      process.exitCode = 1;
    });
}

/**
 * Commands that only read and are run often are one file with all they need (scripts/build.mjs), compiled as those of hooks:
 * finding and compiling the modules of one takes as long as Node's own start.
 */
async function loadCommandLine(): Promise<typeof import("../cli/main.ts")> {
  return readingCommands.includes(argv[0] ?? "")
    ? (loadCompiled(`${__dirname}/cli/reports.cjs`, require) as typeof import("../cli/main.ts"))
    : await loadChunk("main");
}

/** ES modules beside this file: resolved at run time, never bundled into the hook entry. */
function loadChunk(name: string) {
  const { pathToFileURL } = process.getBuiltinModule("node:url");
  return import(pathToFileURL(`${__dirname}/cli/${name}.js`).href);
}

/** What hooks load is one file each, and CommonJS: dozens of ES modules take Node longer than the work. */
function loadFile(name: string) {
  return loadCompiled(`${__dirname}/cli/hooks/${name}.cjs`, require);
}
