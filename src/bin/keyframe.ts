#!/usr/bin/env node
// The program's entry. Hooks are handled here, with nothing else loaded; every other command is a chunk of its own.

import { pathToFileURL } from "node:url";

const argv = process.argv.slice(2);

// the command line is an ES module beside this file: resolved at run time, never bundled into the hook entry
const cli: Promise<typeof import("../cli/main.ts")> = import(pathToFileURL(`${__dirname}/cli/main.js`).href);
cli
  .then(({ main }) => main(argv))
  .catch((error: unknown) => {
    process.stderr.write(
      `keyframe: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
    );
    process.exitCode = 1;
  });
