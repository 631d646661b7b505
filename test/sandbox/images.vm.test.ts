// Covers src/sandbox/image/**, src/cli/image/build/**.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parseObjectName } from "../../src/sandbox/ids.ts";
import { findSandboxImage } from "../../src/sandbox/image/build.ts";
import { bootSandbox } from "../../src/sandbox/lifecycle/start-sandbox.ts";
import { removeSandbox } from "../../src/sandbox/removal/remove-sandbox.ts";
import type { SandboxRecord } from "../../src/sandbox/store/records.ts";
import { openSandboxLab, type SandboxLab } from "../support/sandbox-context.ts";

// A root file system that is no Debian: a shell and some programs of this machine with their libraries.
let lab: SandboxLab;
const folder = mkdtempSync(join(tmpdir(), "sbx-root-"));
const root = join(folder, "root");

beforeAll(() => {
  lab = openSandboxLab();
  for (const program of ["sh", "cat", "ls", "stat", "id"]) addProgram(program);
  mkdirSync(join(root, "etc"));
  writeFileSync(join(root, "etc/passwd"), "root:x:0:0::/:/bin/sh\n");
  writeFileSync(join(root, "etc/release"), "tiny\n");
  writeFileSync(join(root, "etc/old"), "old\n");
  symlinkSync("release", join(root, "etc/link"));
  mkdirSync(join(root, "opt/full"), { recursive: true });
  writeFileSync(join(root, "opt/full/one"), "1\n");
  chmodSync(join(root, "etc/release"), 0o640);
});
afterAll(async () => {
  await lab?.close();
  rmSync(folder, { recursive: true, force: true });
});

function addProgram(name: string): void {
  const program = `/bin/${name}`;
  const libraries = execFileSync("ldd", [execFileSync("which", [name], { encoding: "utf8" }).trim()], {
    encoding: "utf8",
  });
  const files = [...libraries.matchAll(/(\/\S+) \(0x/g)].map((match) => match[1] ?? "");
  for (const path of [program, ...files]) {
    mkdirSync(join(root, dirname(path)), { recursive: true });
    copyFileSync(
      path === program ? execFileSync("which", [name], { encoding: "utf8" }).trim() : path,
      join(root, path),
    );
    chmodSync(join(root, path), 0o755);
  }
}

async function inImage(name: string, check: (sandbox: SandboxRecord) => Promise<void>): Promise<void> {
  const { record } = await bootSandbox(lab.context, findSandboxImage(lab.context, parseObjectName(name)), {
    memoryMiB: 160,
    cpus: 1,
    diskBytes: 256 * 1024 ** 2,
    accelerator: "tcg",
  });
  await check(record);
  await removeSandbox(lab.context, record);
}

function build(name: string, from: string): void {
  const { code, stderr } = lab.cli(["image", "build", name, "--from", from]);
  expect([code, stderr]).toEqual([0, expect.any(String)]);
}

const facts = "cat /etc/release /etc/link; stat -c '%a %u %g' /etc/release";

test("a folder becomes an image that runs, and its files belong to root", async () => {
  build("from-folder", root);
  await inImage("from-folder", async (sandbox) => {
    expect(await lab.sh(sandbox, facts)).toBe("tiny\ntiny\n640 0 0");
    expect(await lab.sh(sandbox, "id -u")).toBe("0");
  });
});

test("a tar file becomes an image that runs, with the owners that the tar names", async () => {
  const tar = join(folder, "root.tar");
  execFileSync("tar", ["-cf", tar, "--owner=12", "--group=34", "--numeric-owner", "-C", root, "."]);
  build("from-tar", tar);
  await inImage("from-tar", async (sandbox) => {
    expect(await lab.sh(sandbox, facts)).toBe("tiny\ntiny\n640 12 34");
  });
});

test("an OCI layout becomes an image that runs: layers in order, deletions and opaque folders applied", async () => {
  const layout = join(folder, "oci");
  const upper = join(folder, "upper");
  mkdirSync(join(layout, "blobs/sha256"), { recursive: true });
  mkdirSync(join(upper, "etc"), { recursive: true });
  mkdirSync(join(upper, "opt/full"), { recursive: true });
  writeFileSync(join(upper, "etc/.wh.old"), "");
  writeFileSync(join(upper, "etc/release"), "second\n");
  writeFileSync(join(upper, "opt/full/.wh..wh..opq"), "");
  writeFileSync(join(upper, "opt/full/two"), "2\n");
  const addBlob = (bytes: Buffer, mediaType: string) => {
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    writeFileSync(join(layout, "blobs/sha256", sha256), bytes);
    return { mediaType, digest: `sha256:${sha256}`, size: bytes.length };
  };
  const layer = (from: string, packing: "gzip" | "zstd") => {
    const tar = join(folder, `${basename(from)}.layer`);
    execFileSync("tar", [`--${packing}`, "-cf", tar, "--owner=0", "--group=0", "-C", from, "."]);
    return addBlob(readFileSync(tar), `application/vnd.oci.image.layer.v1.tar+${packing}`);
  };
  const config = addBlob(Buffer.from("{}"), "application/vnd.oci.image.config.v1+json");
  const manifest = addBlob(
    Buffer.from(
      JSON.stringify({ schemaVersion: 2, config, layers: [layer(root, "gzip"), layer(upper, "zstd")] }),
    ),
    "application/vnd.oci.image.manifest.v1+json",
  );
  writeFileSync(join(layout, "index.json"), JSON.stringify({ schemaVersion: 2, manifests: [manifest] }));
  writeFileSync(join(layout, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
  build("from-oci", layout);
  await inImage("from-oci", async (sandbox) => {
    expect(await lab.sh(sandbox, "cat /etc/release; ls /opt/full; ls /etc")).toBe(
      "second\ntwo\nhostname\nhosts\nlink\nmachine-id\npasswd\nrelease",
    );
  });
  // a blob that is not what the manifest names
  const damaged = join(layout, "blobs/sha256", manifest.digest.slice("sha256:".length));
  writeFileSync(damaged, "{}");
  const refused = lab.cli(["image", "build", "from-oci", "--from", layout]);
  expect([refused.code, refused.stderr]).toEqual([expect.any(Number), expect.stringContaining("damaged")]);
  expect(findSandboxImage(lab.context, parseObjectName("from-oci")).source).toBe(layout);
});
