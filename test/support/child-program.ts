import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildSync } from "esbuild";

/** A test program as one file that plain Node can run in a process of its own, to be killed there. */
export interface ChildProgram {
  readonly path: string;
  remove(): void;
}

/** Bundles a TypeScript program of the tests. */
export function bundleChildProgram(source: string): ChildProgram {
  const folder = mkdtempSync(join(tmpdir(), "kf-child-"));
  const path = join(folder, "program.mjs");
  buildSync({
    entryPoints: [source],
    outfile: path,
    bundle: true,
    platform: "node",
    format: "esm",
    external: ["koffi"],
    banner: {
      js: 'import { createRequire as __r } from "node:module"; const require = __r(import.meta.url);',
    },
    logLevel: "error",
  });
  return { path, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
