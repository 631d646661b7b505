// Covers editors/vscode/** and scripts/build-vscode.mjs: the package is whole, and its bundle starts the server in a
// stand-in for the editor.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { keyframeVersion } from "../../src/base/version.ts";
import { scratchFolder } from "../support/scratch.ts";
import { keyframeProgram } from "../support/test-repository.ts";

/** As much of `vscode` as the bundle touches: classes for whatever it extends, and events that never fire. */
const standIn = `
const nothing = () => ({ dispose() {} });
const known = {
  version: "1.140.0",
  env: { appName: "Stand-in", language: "en" },
  Uri: class { static parse(x) { return x; } static file(x) { return x; } },
  window: new Proxy({ state: { focused: true }, createOutputChannel: () => new Proxy({}, { get: () => nothing }) }, { get: (o, k) => o[k] ?? nothing }),
  workspace: new Proxy({
    getConfiguration: () => ({ get: (name, fallback) => (name === "program" ? process.env.KEYFRAME_PROGRAM : fallback) }),
    textDocuments: [], notebookDocuments: [], workspaceFolders: undefined,
  }, { get: (o, k) => (k in o ? o[k] : nothing) }),
  languages: new Proxy({ match: () => 0, createDiagnosticCollection: () => new Proxy({}, { get: () => nothing }) }, { get: (o, k) => o[k] ?? nothing }),
  commands: new Proxy({}, { get: () => nothing }),
  extensions: new Proxy({ getExtension: () => undefined, all: [] }, { get: (o, k) => (k in o ? o[k] : nothing) }),
};
module.exports = new Proxy(known, {
  get: (o, k) => o[k] ?? (o[k] = Object.assign(class Stub { constructor() { this.event = nothing; } fire() {} dispose() {} }, { from: nothing })),
});
`;

test("the package is a zip with a manifest, and its bundle starts the server", () => {
  const folder = scratchFolder();
  const vsix = join(folder, "keyframe.vsix");
  execFileSync(process.execPath, ["scripts/build-vscode.mjs", "--out", vsix]);
  execFileSync("unzip", ["-q", vsix, "-d", folder]);
  const manifest = JSON.parse(readFileSync(join(folder, "extension/package.json"), "utf8")) as {
    version: string;
  };
  expect(manifest.version).toBe(keyframeVersion);
  expect(readFileSync(join(folder, "extension.vsixmanifest"), "utf8")).toContain(
    `Version="${keyframeVersion}"`,
  );
  writeFileSync(join(folder, "vscode.cjs"), standIn);
  const program = join(folder, "keyframe");
  writeFileSync(program, `#!/bin/sh\nexec '${process.execPath}' '${keyframeProgram}' "$@"\n`, {
    mode: 0o755,
  });
  const run = `
    const Module = require("node:module");
    const resolve = Module._resolveFilename;
    Module._resolveFilename = (name, ...rest) => resolve(name === "vscode" ? ${JSON.stringify(join(folder, "vscode.cjs"))} : name, ...rest);
    const { activate, deactivate } = require(${JSON.stringify(join(folder, "extension/extension.cjs"))});
    activate({ extension: { packageJSON: { version: "1" } } })
      .then(() => console.log("started"))
      .then(() => deactivate())
      .then(() => console.log("stopped"), (error) => console.log(error));`;
  const printed = execFileSync(process.execPath, ["-e", run], {
    env: { ...process.env, KEYFRAME_PROGRAM: program },
    encoding: "utf8",
    timeout: 60_000,
  });
  expect(printed).toBe("started\nstopped\n");
});
