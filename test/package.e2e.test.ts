// Covers src/system/machine/**.
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

const root = mkdtempSync(join(tmpdir(), "kf-package-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const [copy, prefix, home] = ["package", "prefix", "home"].map((name) => join(root, name)) as [
  string,
  string,
  string,
];
const installed = join(prefix, "lib/node_modules/keyframe-cli");

/** Built as `npm publish` builds it, but beside `dist`, which other tests run; then packed and installed elsewhere. */
beforeAll(() => {
  for (const folder of [copy, prefix, home]) mkdirSync(folder);
  const { files } = JSON.parse(readFileSync("package.json", "utf8")) as { files: readonly string[] };
  for (const name of ["package.json", "README.md", "LICENSE", ...files.filter((file) => file !== "dist")])
    cpSync(name, join(copy, name), { recursive: true });
  execFileSync(process.execPath, ["scripts/build.mjs", "--outdir", join(copy, "dist")]);
  execFileSync("npx", ["tsc", "-p", "tsconfig.types.json", "--outDir", join(copy, "dist", "types")]);
  const npm = (args: readonly string[], cwd: string) =>
    execFileSync("npm", args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  const [packed] = JSON.parse(npm(["pack", "--json", "--ignore-scripts"], copy)) as { filename: string }[];
  const tarball = join(copy, packed?.filename ?? "");
  // nothing is downloaded: the package brings everything, and its one optional dependency is left out
  npm(["install", "-g", "--prefix", prefix, "--omit=optional", "--offline", "--no-audit", tarball], home);
}, 600_000);

function keyframe(args: readonly string[]) {
  const env = { PATH: `${join(prefix, "bin")}${delimiter}${process.env["PATH"]}`, HOME: home };
  return spawnSync("keyframe", args, { cwd: home, env, encoding: "utf8", timeout: 120_000 });
}

const shipped = () => readdirSync(installed, { recursive: true, encoding: "utf8" });

test("the installed program says its version and plays the demo", () => {
  const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
  const said = keyframe(["--version"]);
  expect([said.status, said.stdout.split("\n")[0]]).toEqual([0, `keyframe ${version}`]);
  const demo = keyframe(["demo"]);
  expect([demo.status, demo.stderr]).toEqual([0, ""]);
  expect(demo.stdout).toContain("claude");
});

test("the library is there with its types", () => {
  const program =
    'import { openRepository, keyframeVersion } from "keyframe-cli"; console.log(typeof openRepository, keyframeVersion)';
  const env = { ...process.env, NODE_PATH: "" };
  const result = spawnSync(process.execPath, ["--input-type=module", "-e", program], {
    cwd: installed,
    env,
    encoding: "utf8",
  });
  expect(result.stdout).toMatch(/^function \d+\.\d+\.\d+/);
  expect(readFileSync(join(installed, "dist/types/index.d.ts"), "utf8")).toContain("openRepository");
});

test("what ships has no fault points, no tests and nothing of this machine", () => {
  const names = shipped();
  expect(names.filter((name) => /(^|\/)(test|bench|src|\.github)(\/|$)/.test(name))).toEqual([]);
  const programs = names.filter((name) => /\.(c?js)$/.test(name));
  expect(programs).toContain("dist/keyframe.cjs");
  for (const name of programs) {
    const text = readFileSync(join(installed, name), "utf8");
    expect(text.includes("KEYFRAME_FAULT"), name).toBe(false);
    expect(text.includes(resolve(".")), name).toBe(false);
  }
  expect(statSync(join(installed, "dist/keyframe.cjs")).mode & 0o111).not.toBe(0);
});

test("what is bundled is named with its licence and its digest, and the package has its own", () => {
  const read = (path: string) => readFileSync(join(installed, path), "utf8");
  expect(read("LICENSE")).toContain("Apache License");
  expect(read("SECURITY.md")).toContain("report");
  const texts = read("dist/THIRD_PARTY_LICENSES");
  const bill = JSON.parse(read("dist/sbom.cdx.json")) as {
    components: {
      name: string;
      version: string;
      hashes?: object[];
      licenses: { license: { id: string } }[];
    }[];
  };
  const names = bill.components.map(({ name }) => name);
  expect(names).toEqual(expect.arrayContaining(["zod", "hono", "@stricli/core", "@bokuweb/zstd-wasm"]));
  for (const { name, version, hashes, licenses } of bill.components) {
    expect(texts).toContain(`${name} ${version} (${licenses[0]?.license.id})`);
    expect([name, hashes?.length]).toEqual([name, 1]);
  }
  expect(texts).not.toContain("undefined");
});
