import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { buildSync } from "esbuild";

/** A TypeScript program of test/support as a file that Node runs by itself; inside node_modules, so that koffi is found. */
export function bundledChild(name: string): string {
  const folder = join("node_modules", ".cache", "keyframe-test");
  mkdirSync(folder, { recursive: true });
  const outfile = join(folder, `${name}.mjs`);
  buildSync({
    entryPoints: [join("test", "support", `${name}.ts`)],
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    external: ["koffi"],
    logLevel: "warning",
  });
  return outfile;
}
