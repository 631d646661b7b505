import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parseObjectName } from "../../src/sandbox/ids.ts";
import { buildImage } from "../../src/sandbox/image/build.ts";
import { parseRootfsSource } from "../../src/sandbox/image/source.ts";
import { nodeFiles } from "../../src/system/files/files.ts";
import { openBareContext } from "../support/sandbox-context.ts";
import { scratchFolder } from "../support/scratch.ts";
import { type TarMemberSpec, tarOf } from "../support/tar-of.ts";

// Who made the image wants to write, read or delete outside of it while it is built.

interface Place {
  readonly folder: string;
  /** What the image must not reach. */
  readonly outside: string;
}

function place(): Place {
  const folder = scratchFolder();
  const outside = join(folder, "outside");
  mkdirSync(outside);
  writeFileSync(join(outside, "victim"), "still here");
  return { folder, outside };
}

function writeLayout(folder: string, layers: readonly Buffer[]): string {
  const layout = join(folder, "layout");
  mkdirSync(join(layout, "blobs/sha256"), { recursive: true });
  const blob = (mediaType: string, bytes: Buffer) => {
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    writeFileSync(join(layout, "blobs/sha256", sha256), bytes);
    return { mediaType, digest: `sha256:${sha256}`, size: bytes.length };
  };
  const config = blob("application/vnd.oci.image.config.v1+json", Buffer.from("{}"));
  const manifest = blob(
    "application/vnd.oci.image.manifest.v1+json",
    Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        config,
        layers: layers.map((bytes) => blob("application/vnd.oci.image.layer.v1.tar", bytes)),
      }),
    ),
  );
  writeFileSync(
    join(layout, "index.json"),
    JSON.stringify({
      schemaVersion: 2,
      manifests: [{ ...manifest, platform: { os: "linux", architecture: "amd64" } }],
    }),
  );
  writeFileSync(join(layout, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  return layout;
}

async function build(folder: string, from: string): Promise<string> {
  const sandboxContext = openBareContext(join(folder, "home"));
  const source = parseRootfsSource(nodeFiles, from, (path) => path);
  const options = {
    name: parseObjectName("img"),
    source,
    sourceText: from,
    packages: [],
    isRoot: process.getuid?.() === 0,
  };
  try {
    const { layer } = await buildImage(sandboxContext, { ...options, progress: () => undefined });
    return sandboxContext.home.diskLayer(layer, "raw");
  } finally {
    expect(readdirSync(join(folder, "home/staging"))).toEqual([]);
  }
}

async function expectRefused({ folder, outside }: Place, from: string, name: string): Promise<void> {
  await expect(build(folder, from)).rejects.toMatchObject({
    code: "refused",
    message: expect.stringContaining(JSON.stringify(name)),
  });
  expect(readdirSync(outside)).toEqual(["victim"]);
  expect(readFileSync(join(outside, "victim"), "utf8")).toBe("still here");
  expect(existsSync(join(folder, "home/images/img.json"))).toBe(false);
}

function inImage(image: string, request: string): string {
  return execFileSync("debugfs", ["-R", request, image], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  });
}

const link = (path: string, linkTarget: string): TarMemberSpec => ({ path, kind: "symlink", linkTarget });
const hardLink = (path: string, linkTarget: string): TarMemberSpec => ({
  path,
  kind: "hardlink",
  linkTarget,
});

test.each<[string, (outside: string) => TarMemberSpec[][], string]>([
  [
    "a file below a link of a lower layer",
    (to) => [[link("x", to)], [{ path: "x/evil", mode: 0o4755 }]],
    "x/evil",
  ],
  ["a file below a link of its own layer", (to) => [[link("x", to), { path: "x/evil" }]], "x/evil"],
  [
    "a file below a link that climbs",
    (to) => [[link("x", `../../../../../..${to}`)], [{ path: "x/evil" }]],
    "x/evil",
  ],
  ["a folder below a link", (to) => [[link("x", to)], [{ path: "x/evil", kind: "folder" }]], "x/evil"],
  ["a link below a link", (to) => [[link("x", to)], [link("x/evil", "/etc")]], "x/evil"],
  ["a path that climbs", () => [[{ path: "../../outside/evil" }]], "../../outside/evil"],
  ["a path that climbs in its middle", () => [[{ path: "a/../../outside/evil" }]], "a/../../outside/evil"],
  ["a deletion that climbs", () => [[{ path: "../../outside/.wh.victim" }]], "../../outside/victim"],
  ["a hard link to a file of this machine", () => [[hardLink("evil", "/etc/passwd")]], "evil"],
  ["a hard link that climbs", () => [[hardLink("evil", "../../outside/victim")]], "../../outside/victim"],
  ["a hard link through a link", (to) => [[link("x", to), hardLink("evil", "x/victim")]], "evil"],
  ["a hard link to a folder", () => [[{ path: "d", kind: "folder" }, hardLink("evil", "d")]], "evil"],
  ["links in a circle", () => [[link("x", "y"), link("y", "x"), { path: "x/evil" }]], "x/evil"],
])("%s is refused by name, and nothing is written", async (_, layers, name) => {
  const where = place();
  const layout = writeLayout(where.folder, layers(where.outside).map(tarOf));
  await expectRefused(where, layout, name);
});

test("deletions below a link delete nothing outside", async () => {
  const where = place();
  const layout = writeLayout(where.folder, [
    tarOf([link("x", where.outside), { path: "kept" }]),
    tarOf([{ path: "x/.wh.victim" }, { path: "x/.wh..wh..opq" }]),
  ]);
  const image = await build(where.folder, layout);
  expect(inImage(image, "ls -p /")).toContain("/kept/");
  expect(readdirSync(where.outside)).toEqual(["victim"]);
});

test("a tar file is confined as a layer is", async () => {
  const where = place();
  const tar = join(where.folder, "image.tar");
  writeFileSync(tar, tarOf([link("x", where.outside), { path: "x/evil" }]));
  await expectRefused(where, tar, "x/evil");
});

test("links that stay inside lead where they lead in the image, absolute paths are the image's own", async () => {
  const { folder } = place();
  const layout = writeLayout(folder, [
    tarOf([
      { path: "usr/lib/", kind: "folder" },
      link("lib", "usr/lib"),
      link("abs", "/usr"),
      link("up", "../../usr"),
    ]),
    tarOf([
      { path: "lib/one", content: "1" },
      { path: "abs/lib/two", content: "2" },
      { path: "up/three", content: "3" },
      { path: "/etc/four", content: "4" },
      hardLink("usr/five", "lib/one"),
    ]),
  ]);
  const image = await build(folder, layout);
  for (const [path, content] of [
    ["/usr/lib/one", "1"],
    ["/usr/lib/two", "2"],
    ["/usr/three", "3"],
    ["/etc/four", "4"],
    ["/usr/five", "1"],
  ] as const)
    expect([path, inImage(image, `cat ${path}`)]).toEqual([path, content]);
  expect(inImage(image, "stat /lib")).toContain("symlink");
});

test("devices, owners and set-user-id bits exist in the image and never on this machine", async () => {
  const { folder } = place();
  const layout = writeLayout(folder, [
    tarOf([
      { path: "dev/", kind: "folder" },
      { path: "dev/mem", kind: "character", major: 1, minor: 1, mode: 0o666 },
      { path: "su", mode: 0o4755, userId: 0, content: "#!/bin/sh\n" },
      { path: "of", userId: 1234, groupId: 567, content: "x" },
    ]),
  ]);
  const image = await build(folder, layout);
  expect(inImage(image, "stat /dev/mem")).toMatch(
    /Type: character special[\s\S]*Device major\/minor number: 01:01/,
  );
  expect(inImage(image, "stat /su")).toContain("Mode:  04755");
  expect(inImage(image, "stat /of")).toMatch(/User:\s+1234\s+Group:\s+567/);
});
