import { join } from "node:path";
import { formatBytes } from "../../base/bytes.ts";
import { KeyframeError } from "../../base/errors.ts";
import { openDataFile } from "../../system/files/data-file.ts";
import { freeBytesAt } from "../../system/files/free-space.ts";
import { newDiskLayerId, type ObjectName } from "../ids.ts";
import { digestFile, recordDiskLayer } from "../store/disk-layers.ts";
import { type SandboxContext, stagingPath, withLock } from "../store/home.ts";
import { type DiskLayerRef, type ImageRecord, readImageRecord, writeRecord } from "../store/records.ts";
import { type FlattenedImage, flattenLayers, type ImageLayer } from "./flatten-layers.ts";
import { readOciLayers } from "./oci-layout.ts";
import { feedTool, outputOf, runTool } from "./run-tool.ts";
import type { RootfsSource } from "./source.ts";
import { unpacked } from "./unpacked.ts";

export interface ImageBuildOptions {
  readonly name: ObjectName;
  readonly source: RootfsSource;
  /** As the user wrote it. */
  readonly sourceText: string;
  /** Debian packages beside the minimal system. */
  readonly packages: readonly string[];
  /** Directories whose files are laid over the root of the image, the later over the earlier; root owns them. */
  readonly overlays?: readonly string[];
  readonly isRoot: boolean;
  /** Says what is being done. */
  readonly progress: (text: string) => void;
}

/**
 * Makes a disk image and gives it the name. An image that had the name before stays on disk under what runs from it.
 * No root is needed: fakeroot lends the files their owners.
 */
export async function buildImage(context: SandboxContext, options: ImageBuildOptions): Promise<ImageRecord> {
  const staging = stagingPath(context, "image");
  context.files.makeFolder(staging, { mode: 0o700 });
  try {
    const overlays = (options.overlays ?? []).map((path) => folderLayer(context, path, rootOwns));
    const flattened = await flattenLayers([...(await layersOf(context, staging, options)), ...overlays]);
    options.progress("making the file system");
    const image = await makeFileSystem(context, staging, flattened);
    return await publish(context, image, options);
  } finally {
    await removeStaging(context, staging, options.isRoot);
  }
}

/** Where the files come from, as tars that can be read twice. */
async function layersOf(
  context: SandboxContext,
  staging: string,
  options: ImageBuildOptions,
): Promise<ImageLayer[]> {
  const { source } = options;
  if (source.kind !== "debian" && options.packages.length > 0) {
    throw new KeyframeError("usage", "--include works with debian:<suite> only", {
      hint: "install the packages in the directory or image first",
    });
  }
  if (source.kind === "debian") {
    options.progress(`downloading Debian ${source.suite}`);
    const tar = join(staging, "debian.tar");
    await runTool(context, "mmdebstrap", debootstrapArguments(source.suite, options.packages, tar));
    return [{ open: () => unpacked(context, tar), deletes: false }];
  }
  if (source.kind === "tar") return [{ open: () => unpacked(context, source.path), deletes: false }];
  if (source.kind === "folder") {
    // what an ordinary user has unpacked belongs to root inside
    return [folderLayer(context, source.path, options.isRoot ? ["--numeric-owner"] : rootOwns)];
  }
  return readOciLayers(context.files, source.path).map(({ path }) => ({
    open: () => unpacked(context, path),
    deletes: true,
  }));
}

const rootOwns: readonly string[] = ["--owner=0", "--group=0"];

function folderLayer(context: SandboxContext, path: string, owners: readonly string[]): ImageLayer {
  const args = ["-cf", "-", ...owners, "--one-file-system", "--sort=name", "-C", path, "."];
  return { open: () => outputOf(context, "tar", args), deletes: false };
}

function debootstrapArguments(suite: string, packages: readonly string[], tar: string): string[] {
  for (const name of packages) {
    if (!/^[a-z0-9][a-z0-9.+-]*$/.test(name))
      throw new KeyframeError("invalid-input", `${name} is not a Debian package's name`);
  }
  return [
    "--quiet",
    "--variant=minbase",
    ...(packages.length === 0 ? [] : [`--include=${packages.join(",")}`]),
    '--aptopt=APT::Install-Recommends "false"',
    ...["doc", "man", "locale"].map((folder) => `--dpkgopt=path-exclude=/usr/share/${folder}/*`),
    ...guestHooks.map((hook) => `--customize-hook=${hook}`),
    suite,
    tar,
  ];
}

/**
 * What makes a minimal system one to work in: a user beside root, who may become root where sudo is there; and without
 * the resolver and the name of the machine that it was made on, which mmdebstrap leaves behind.
 */
const guestHooks: readonly string[] = [
  'chroot "$1" useradd --create-home --shell /bin/bash user',
  'if [ -d "$1/etc/sudoers.d" ]; then echo "user ALL=(ALL) NOPASSWD:ALL" > "$1/etc/sudoers.d/user"; chmod 440 "$1/etc/sudoers.d/user"; fi',
  'rm -f "$1/etc/resolv.conf" "$1/etc/hostname"',
];

/**
 * An ext4 file system just large enough: the guest grows it to the size of its disk. 4 KiB blocks and the default
 * reserve for growth, up to 1024 times. The tar has no way out of the directory that it is unpacked into; devices and
 * owners exist for fakeroot alone, which forgets them at its end.
 */
async function makeFileSystem(
  context: SandboxContext,
  staging: string,
  image: FlattenedImage,
): Promise<string> {
  mustHaveRoom(staging, image.contentBytes);
  const script = [
    "set -eu",
    `cd ${quoted(staging)}`,
    "mkdir root",
    "tar -xpf - -C root --numeric-owner",
    "kib=$(du -sk root | cut -f1); files=$(find root | wc -l)",
    "mke2fs -q -F -t ext4 -b 4096 -m 0 -N $((files * 5 / 4 + 4096)) -L keyframe -d root image.ext4 $((kib * 5 / 4 + 65536))k",
  ].join("\n");
  await feedTool(context, "fakeroot", ["sh", "-c", script], image.tar());
  return join(staging, "image.ext4");
}

/** Files and file system are both there for a while. */
function mustHaveRoom(folder: string, contentBytes: number): void {
  const needed = 2 * contentBytes;
  const free = freeBytesAt(folder);
  if (needed <= free) return;
  throw new KeyframeError(
    "disk-full",
    `the image needs ${formatBytes(needed)} while it is made, and ${formatBytes(free)} are free`,
    { hint: "free some space and run the command again" },
  );
}

async function publish(
  context: SandboxContext,
  image: string,
  options: ImageBuildOptions,
): Promise<ImageRecord> {
  const layer: DiskLayerRef = { id: newDiskLayerId(context.random), kind: "raw" };
  const target = context.home.diskLayer(layer.id, "raw");
  const file = openDataFile(image, "change");
  try {
    file.sync();
  } finally {
    file.close();
  }
  options.progress("computing its digest");
  const sha256 = await digestFile(context, image);
  return withLock(context, "images", async () => {
    const record: ImageRecord = {
      format: 1,
      name: options.name,
      layer: layer.id,
      source: options.sourceText,
      packages: [...options.packages],
      createdAtMs: context.clock.nowMs(),
    };
    context.files.rename(image, target);
    recordDiskLayer(context, layer, sha256);
    // last: the name moves to the new image at once
    writeRecord(context.files, context.home.imageRecord(options.name), record);
    return record;
  });
}

/** By name; `not-found`. */
export function findSandboxImage(context: SandboxContext, name: ObjectName): ImageRecord {
  const record = readImageRecord(context.files, context.home.imageRecord(name));
  if (record !== undefined) return record;
  throw new KeyframeError("not-found", `there is no image ${name}`, {
    hint: `\`keyframe image build ${name} --from debian:bookworm\` makes one`,
  });
}

/** Directories of the image may forbid even their owner to empty them. */
async function removeStaging(context: SandboxContext, staging: string, isRoot: boolean): Promise<void> {
  if (!isRoot) await context.processes.run("chmod", ["-R", "u+rwX", staging]);
  context.files.removeTree(staging);
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
