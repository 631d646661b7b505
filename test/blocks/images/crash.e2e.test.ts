import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, watch, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { loadZstd } from "../../../src/blocks/formats/zstd.ts";
import { openImage } from "../../../src/blocks/images/read/layered-image.ts";
import { findImage } from "../../../src/blocks/images/read/read-image.ts";
import { createFolderStore } from "../../../src/blocks/stores/folder-store.ts";
import { nodeFiles } from "../../../src/system/files/files.ts";
import { openNodeSparseFile } from "../../../src/system/files/sparse-file.ts";
import { nodeRandom } from "../../../src/system/random.ts";
import { readImage, neverAborted as signal } from "../../support/image-repository.ts";
import { type ProgramResult, runKeyframe } from "../../support/keyframe-program.ts";
import { patternBytes } from "../../support/memory-image.ts";

const root = mkdtempSync(join(tmpdir(), "keyframe-crash-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Each place where an upload, a publication, a copy or a collection can die, and a command that passes it. */
const points: Record<string, readonly string[]> = {
  "write-layer:after-frame": ["create"],
  "write-layer:before-put": ["create"],
  "write-layer:after-put": ["create"],
  "folder-store:after-copy": ["create", "push"],
  "folder-store:after-sync": ["create", "push"],
  "folder-store:after-link": ["create", "push"],
  "publish-image:before-manifest": ["create", "push"],
  "publish-image:before-name": ["create", "push"],
  "publish-image:after-name": ["create", "push"],
  "transfer-image:after-layer": ["push"],
  "pack-image:before-publish": ["pack"],
  "collect-garbage:after-delete": ["gc"],
};
/** Passed in the tests of the S3 store. */
const s3Points = ["s3-store:after-part", "s3-store:before-complete"];
const publishedPoints = new Set(["publish-image:after-name"]);

let round = 0;
let folder: string;
let env: { KEYFRAME_HOME: string };
const base = patternBytes(3_000_000);
const changed = Buffer.from(base).fill(0x77, 1_000_000, 1_500_000);
const image = (args: readonly string[], extra: Record<string, string> = {}): ProgramResult =>
  runKeyframe(["image", ...args], { ...env, ...extra });

beforeEach(() => {
  round += 1;
  folder = join(root, String(round));
  env = { KEYFRAME_HOME: join(folder, "home") };
  mkdirSync(folder);
  writeFileSync(join(folder, "base.raw"), base);
  writeFileSync(join(folder, "changed.raw"), changed);
  expect(image(["create", join(folder, "base.raw"), "--name", "base"])).toMatchObject({ code: 0 });
});

function commandFor(action: string): readonly string[] {
  if (action === "create")
    return ["create", join(folder, "changed.raw"), "--parent", "base", "--name", "changed"];
  if (action === "push") return ["push", "base", join(folder, "other")];
  if (action === "pack") return ["pack", "base", join(folder, "base.pack")];
  return ["gc", "--grace", "0s"];
}

async function bytesOf(store: string, name: string): Promise<Buffer> {
  const opened = createFolderStore(store, {
    files: nodeFiles,
    openFile: openNodeSparseFile,
    random: nodeRandom,
  });
  const { manifest } = await findImage(opened, name, signal);
  return readImage(openImage({ store: opened, zstd: await loadZstd() }, manifest));
}

/** A small image passes these more than once: for its lease, its layer, its manifest and its name. */
const repeated = (point: string) => point.startsWith("folder-store:") || point === "write-layer:after-frame";
const cases = Object.entries(points).flatMap(([point, actions]) =>
  actions.flatMap((action) =>
    (repeated(point) ? [1, 2, 3] : [1]).map((pass) => [action, point, pass] as const),
  ),
);

describe("a program that is killed", () => {
  test.each(cases)(
    "in `image %s` at %s, pass %i, leaves whole images only, and the same command then works",
    async (action, point, pass) => {
      if (action === "gc") {
        image(["create", join(folder, "changed.raw"), "--name", "gone"]);
        image(["rm", "gone"]);
      }
      const home = join(env.KEYFRAME_HOME, "images");
      const target = action === "push" ? join(folder, "other") : home;
      const before = images(target);
      const killed = image(commandFor(action), { KEYFRAME_FAULT: `${point}:${pass}` });
      expect(killed, killed.stderr).toMatchObject({ signal: "SIGKILL" });

      for (const store of new Set([home, target]))
        expect(image(["verify", "--store", store, "--json"]), point).toMatchObject({ code: 0 });
      expect((await bytesOf(home, "base")).equals(base)).toBe(true);
      if (!publishedPoints.has(point))
        expect(images(target).filter((each) => each.names.length > 0)).toEqual(
          before.filter((each) => each.names.length > 0),
        );

      dropLeases(target); // as their quarter of an hour would
      const again = image(commandFor(action));
      expect(again, again.stderr).toMatchObject({ code: 0 });
      if (action === "create") expect((await bytesOf(home, "changed")).equals(changed)).toBe(true);
      if (action === "push") expect((await bytesOf(target, "base")).equals(base)).toBe(true);
      if (action === "pack") {
        expect(
          image(["unpack", join(folder, "base.pack"), "--store", join(folder, "unpacked")]),
        ).toMatchObject({ code: 0 });
        expect((await bytesOf(join(folder, "unpacked"), "base")).equals(base)).toBe(true);
      }
      dropLeases(target);
      expect(image(["gc", "--grace", "0s", "--store", target])).toMatchObject({ code: 0 });
      expect(image(["verify", "--store", target])).toMatchObject({ code: 0 });
      expect(readdirSync(join(target, ".staging"))).toEqual([]);
    },
  );
});

test("a program that is interrupted ends in order: nothing half-made stays, not even its lease", async () => {
  const file = join(folder, "large.raw");
  writeFileSync(file, patternBytes(300_000_000));
  const program = spawn(process.execPath, ["dist/keyframe.cjs", "image", "create", file], {
    env,
    stdio: "ignore",
  });
  const home = join(env.KEYFRAME_HOME, "images");
  const ended = new Promise((resolve) => program.once("exit", resolve));
  const watcher = watch(join(home, ".staging"), (_, name) => {
    if (name?.startsWith("layer-") !== true) return;
    watcher.close(); // once: a second signal would end the program at once
    program.kill("SIGINT");
  });
  expect(await ended).toBe(1);
  expect(readdirSync(join(home, ".staging"))).toEqual([]);
  expect(readdirSync(join(home, "leases"))).toEqual([]);
  expect(images(home)).toHaveLength(1);
});

test("a full disk is reported, leaves no image and no half file", () => {
  const full = image(commandFor("create"), { KEYFRAME_FAULT: "block-file:write=ENOSPC" });
  expect(full).toMatchObject({ code: 6 });
  expect(full.stderr).toContain("disk-full");
  expect(images(join(env.KEYFRAME_HOME, "images"))).toHaveLength(1);
  expect(readdirSync(join(env.KEYFRAME_HOME, "images", ".staging"))).toEqual([]);
});

test("the points at which a program is killed above are all that the code has", () => {
  const found = new Set<string>();
  for (const part of ["formats", "stores", "images"]) {
    for (const entry of readdirSync(join("src/blocks", part), { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const source = readFileSync(join(entry.parentPath, entry.name), "utf8");
      for (const match of source.matchAll(/\bfault\("([^"]+)"\)/g)) found.add(match[1] ?? "");
    }
  }
  expect([...found].sort()).toEqual([...Object.keys(points), ...s3Points].sort());
});

function images(store: string): { readonly id: string; readonly names: readonly string[] }[] {
  const listed = JSON.parse(image(["ls", "--store", store, "--json"]).stdout);
  expect(listed.problems).toEqual([]);
  return listed.images.map(({ id, names }: { id: string; names: string[] }) => ({ id, names }));
}

function dropLeases(store: string): void {
  rmSync(join(store, "leases"), { recursive: true, force: true });
}
