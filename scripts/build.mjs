// Builds dist/: a small CommonJS entry, one CommonJS file for each kind of work that a hook
// does, one for the commands that read, one code-split ESM chunk per other command, and the library entry. Types are emitted by `tsc -p tsconfig.types.json` (npm run build).
//
//   node scripts/build.mjs [--outdir <directory>] [--faults]
//
// --faults keeps the fault points (src/system/fault.ts), at which tests kill the program. What ships has none.
import { createHash } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, extname, join, relative, resolve } from "node:path";
import { parseArgs } from "node:util";
import { build } from "esbuild";
import { bundledPackages, writeThirdParties } from "./third-parties.mjs";

const { values: options } = parseArgs({
  options: { outdir: { type: "string", default: "dist" }, faults: { type: "boolean", default: false } },
});
const { outdir } = options;
const withoutFaults = {
  name: "without-faults",
  setup({ onResolve }) {
    onResolve({ filter: /\/fault\.ts$/ }, () => ({ path: resolve("src/system/no-fault.ts") }));
  },
};

// commands that only read and are run often; `ls` is another name of `list`
const readingCommands = ["blame", "explain", "list", "log", "ls", "search", "show", "stats", "status"];

rmSync(outdir, { recursive: true, force: true });
const shared = {
  plugins: options.faults ? [] : [withoutFaults],
  bundle: true,
  platform: "node",
  target: "node20.19",
  external: ["koffi"],
  // its CommonJS form requires its parts by names that no bundler sees
  alias: { "jsonc-parser": resolve("node_modules/jsonc-parser/lib/esm/main.js") },
  legalComments: "none",
  sourcemap: false,
  logLevel: "warning",
  metafile: true,
};
const metafiles = [];
metafiles.push(
  (
    await build({
      ...shared,
      entryPoints: { keyframe: "src/bin/keyframe.ts" },
      format: "cjs",
      outExtension: { ".js": ".cjs" },
      minify: true,
      external: [...shared.external],
      define: { readingCommands: JSON.stringify(readingCommands) },
      outdir,
    })
  ).metafile,
);
chmodSync(join(outdir, "keyframe.cjs"), 0o755);
// What git starts for a remote of the form keyframe::<sandbox>/<path>: git finds it by its name.
writeFileSync(
  join(outdir, "git-remote-keyframe.cjs"),
  '#!/usr/bin/env node\nprocess.argv.splice(2, 0, "remote-helper");\nrequire("./keyframe.cjs");\n',
  { mode: 0o755 },
);
/** Each entry with all that it imports in one file: Node compiles that once, and keeps it compiled. */
const oneFile = {
  format: "cjs",
  outExtension: { ".js": ".cjs" },
  minify: true,
  logOverride: { "empty-import-meta": "error" },
  outdir,
};
// What hooks load beyond the entry: one file each. Node takes about a millisecond for every ES module that it has to find.
metafiles.push(
  (
    await build({
      ...shared,
      ...oneFile,
      entryPoints: {
        "cli/hooks/hook": "src/bin/hook.ts",
        "cli/hooks/settle": "src/cli/hooks/settle.ts",
        "cli/hooks/push": "src/cli/hooks/push.ts",
        "cli/hooks/session": "src/cli/hooks/session.ts",
        "cli/hooks/commit": "src/cli/hooks/commit.ts",
        "cli/hooks/restore-hooks": "src/cli/hooks/restore-hooks.ts",
        "cli/hooks/agents": "src/cli/hooks/agents.ts",
      },
    })
  ).metafile,
);
// The reading commands in one file: the other commands' own code is left out of it.
const onlyReports = {
  name: "only-reports",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /./ }, ({ kind, importer, path, resolveDir }) => {
      if (kind !== "dynamic-import" || !/-commands?\.ts$|\/commands\.ts$/.test(importer)) return undefined;
      const [command] = relative("src/cli", join(resolveDir, path)).split("/");
      return readingCommands.includes(command) ? undefined : { path: command, namespace: "elsewhere" };
    });
    onLoad({ filter: /./, namespace: "elsewhere" }, ({ path }) => ({
      contents: `throw new Error(${JSON.stringify(`${path} is not in this file`)});`,
    }));
  },
};
metafiles.push(
  (
    await build({
      ...shared,
      ...oneFile,
      plugins: [...shared.plugins, onlyReports],
      entryPoints: { "cli/reports": "src/cli/main.ts" },
    })
  ).metafile,
);
// by this they are found when they were compiled before (src/bin/compiled-file.ts)
const hookFiles = readdirSync(join(outdir, "cli/hooks")).map((name) => join("cli/hooks", name));
for (const name of [...hookFiles, "cli/reports.cjs"]) {
  const path = join(outdir, name);
  const content = readFileSync(path);
  const digest = createHash("sha256").update(content).digest("hex").slice(0, 32);
  writeFileSync(path, `/*${digest}*/${content.toString("latin1")}`, "latin1");
}
metafiles.push(
  (
    await build({
      ...shared,
      entryPoints: {
        "cli/main": "src/cli/main.ts",
        index: "src/index.ts",
      },
      format: "esm",
      splitting: true,
      minifySyntax: true,
      minifyWhitespace: true,
      chunkNames: "chunks/[name]-[hash]",
      banner: {
        js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url), __dirname = import.meta.dirname;',
      },
      outdir,
    })
  ).metafile,
);
// zstd for Node versions without their own: its glue code, always in a chunk, loads the binary from its own directory
const zstdPackage = createRequire(import.meta.url).resolve("@bokuweb/zstd-wasm");
copyFileSync(join(dirname(zstdPackage), "zstd.wasm"), join(outdir, "chunks", "zstd.wasm"));

// the page of `keyframe web`: its style and what runs its script stand in it, so that the first paint waits for nothing;
// the names of its other files hold a digest of their content
const pageTargets = ["chrome123", "firefox120", "safari17.5"];
const page = await build({
  entryPoints: { app: "web/main.tsx", boot: "web/boot.ts", style: "web/style.css" },
  bundle: true,
  minify: true,
  write: false,
  metafile: true,
  platform: "browser",
  target: pageTargets,
  format: "iife",
  jsx: "automatic",
  jsxImportSource: "preact",
  legalComments: "none",
  outdir: join(outdir, "web"),
});
// the worker that colours code: its grammars are files of their own, loaded when one is needed
const worker = await build({
  entryPoints: { worker: "web/highlight/worker.ts" },
  bundle: true,
  minify: true,
  splitting: true,
  metafile: true,
  write: false,
  platform: "browser",
  target: pageTargets,
  format: "esm",
  entryNames: "[name]-[hash]",
  chunkNames: "grammar-[hash]",
  legalComments: "none",
  outdir: join(outdir, "web"),
});
mkdirSync(join(outdir, "web"), { recursive: true });
for (const { path, contents } of worker.outputFiles) writeFileSync(path, contents);
const [workerPath] = Object.entries(worker.metafile.outputs).find(
  ([, { entryPoint }]) => entryPoint === "web/highlight/worker.ts",
);
let index = readFileSync("web/index.html", "utf8").replace("worker.js", basename(workerPath));
for (const { path, contents } of page.outputFiles) {
  const kind = basename(path, extname(path));
  const inline = `/* ${basename(path)} */`;
  const isInline = index.includes(inline);
  const digest = createHash("sha256").update(contents).digest("hex").slice(0, 12);
  const name = `${kind}-${digest}${extname(path)}`;
  if (!isInline) writeFileSync(join(outdir, "web", name), contents);
  const [place, content] = isInline
    ? [inline, Buffer.from(contents).toString("utf8").trim()]
    : [basename(path), name];
  index = index.replace(place, () => content);
}
writeFileSync(join(outdir, "web", "index.html"), index);
metafiles.push(page.metafile, worker.metafile);
writeThirdParties(bundledPackages(metafiles), outdir);
