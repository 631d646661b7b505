#!/usr/bin/env node
// The program's entry. Hooks are handled here, with nothing else loaded; every other command is a chunk of its own.

import { pathToFileURL } from "node:url";
import { runHook } from "./hook.ts";

const argv = process.argv.slice(2);
if (argv[0] === "hook" && !argv.includes("--help")) {
  void runHook(argv.slice(1), {
    loadSettle: async () => (await loadSettle()).settleInHook,
    loadPush: async () => (await loadPush()).pushInHook,
    loadSession: async () => (await loadSession()).sessionInHook,
    loadCommit: async () => (await loadCommit()).commitInHook,
    loadHooks: async () => (await loadHooks()).hooksInHook,
  });
} else runCommandLine();

function runCommandLine(): void {
  const cli: Promise<typeof import("../cli/main.ts")> = loadChunk("main");
  cli
    .then(({ main }) => main(argv))
    .catch((error: unknown) => {
      process.stderr.write(
        `keyframe: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
      );
      process.exitCode = 1;
    });
}

function loadSettle(): Promise<typeof import("../cli/settle-in-hook.ts")> {
  return loadChunk("settle-in-hook");
}

function loadPush(): Promise<typeof import("../cli/push-in-hook.ts")> {
  return loadChunk("push-in-hook");
}

function loadSession(): Promise<typeof import("../cli/session-in-hook.ts")> {
  return loadChunk("session-in-hook");
}

function loadCommit(): Promise<typeof import("../cli/commit-in-hook.ts")> {
  return loadChunk("commit-in-hook");
}

function loadHooks(): Promise<typeof import("../cli/hooks-in-hook.ts")> {
  return loadChunk("hooks-in-hook");
}

/** ES modules beside this file: resolved at run time, never bundled into the hook entry. */
function loadChunk(name: string) {
  return import(pathToFileURL(`${__dirname}/cli/${name}.js`).href);
}
