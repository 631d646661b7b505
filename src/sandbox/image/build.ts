import { join } from "node:path";
import { KeyframeError } from "../../base/errors.ts";
import { openDataFile } from "../../system/files/data-file.ts";
import { newDiskLayerId, type ObjectName } from "../ids.ts";
import { digestFile, recordDiskLayer } from "../store/disk-layers.ts";
import { type SandboxWorld, stagingPath, withLock } from "../store/home.ts";
import { type ImageRecord, type LayerRef, readImageRecord, writeRecord } from "../store/records.ts";
import { readOciLayers } from "./oci-layout.ts";
import type { ImageSource } from "./source.ts";
import { removeWhiteouts, whiteoutsOf } from "./whiteouts.ts";

export interface ImageBuildOptions {
  readonly name: ObjectName;
  readonly source: ImageSource;
  /** As the user wrote it. */
  readonly sourceText: string;
  /** Debian packages beside the minimal system. */
  readonly packages: readonly string[];
  readonly isRoot: boolean;
  /** Says what is being done. */
  readonly progress: (text: string) => void;
}

const hourMs = 60 * 60 * 1000;

/**
 * Makes a disk image and gives it the name. An image that had the name before stays on disk under what runs from it.
 * No root is needed: fakeroot lends the files their owners.
 */
export async function buildImage(world: SandboxWorld, options: ImageBuildOptions): Promise<ImageRecord> {
  const staging = stagingPath(world, "image");
  world.files.makeFolder(staging, { mode: 0o700 });
  try {
    const unpack = await planUnpack(world, staging, options);
    options.progress("making the file system");
    const image = await makeFileSystem(world, staging, unpack, options.isRoot);
    return await publish(world, image, options);
  } finally {
    await removeStaging(world, staging, options.isRoot);
  }
}

/** Shell commands that fill the folder `root`: they run in one fakeroot, which forgets owners at its end. */
async function planUnpack(
  world: SandboxWorld,
  staging: string,
  options: ImageBuildOptions,
): Promise<string[]> {
  const { source } = options;
  if (source.kind !== "debian" && options.packages.length > 0) {
    throw new KeyframeError("usage", "--include works with debian:<suite> only", {
      hint: "install the packages in the folder or image first",
    });
  }
  if (source.kind === "debian") {
    options.progress(`downloading Debian ${source.suite}`);
    const tar = join(staging, "debian.tar");
    await runTool(world, "mmdebstrap", debootstrapArguments(source.suite, options.packages, tar));
    return [`tar -xpf ${quoted(tar)} -C root --numeric-owner`];
  }
  if (source.kind === "tar") return [`tar -xpf ${quoted(source.path)} -C root --numeric-owner`];
  if (source.kind === "folder") {
    // what an ordinary user has unpacked belongs to root inside
    const owners = options.isRoot ? "--numeric-owner" : "--owner=0 --group=0";
    return [
      `tar -cpf - ${owners} --one-file-system -C ${quoted(source.path)} . | tar -xpf - -C root --numeric-owner`,
    ];
  }
  const commands: string[] = [];
  for (const layer of readOciLayers(world.files, source.path)) {
    const packing = layer.packing === "none" ? "" : `--${layer.packing} `;
    const list = await runTool(world, "tar", [
      ...packing.trim().split(" ").filter(Boolean),
      "-tf",
      layer.path,
    ]);
    const whiteouts = whiteoutsOf(list.toString("utf8").split("\n"));
    if (whiteouts.length > 0)
      commands.push(
        ...removeWhiteouts(whiteouts).map(([flag, path]) => `keyframe_remove ${flag} ${quoted(path)}`),
      );
    commands.push(`tar -xpf ${quoted(layer.path)} ${packing}-C root --numeric-owner --exclude='.wh.*'`);
  }
  return commands;
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
    suite,
    tar,
  ];
}

/**
 * An ext4 file system just large enough: the guest grows it to the size of its disk. 4 KiB blocks and the default
 * reserve for growth, up to 1024 times.
 */
async function makeFileSystem(
  world: SandboxWorld,
  staging: string,
  unpack: readonly string[],
  isRoot: boolean,
): Promise<string> {
  const script = [
    "set -eu",
    `cd ${quoted(staging)}`,
    "mkdir root",
    // inside root only, through no link: what a layer deletes
    'keyframe_remove() { d=$(dirname "./$2"); case $(realpath -m "root/$d")/ in "$PWD/root"/*) ;; *) return 0;; esac; if [ "$1" = opaque ]; then find "root/$2" -mindepth 1 -delete 2>/dev/null || :; else rm -rf -- "root/$2"; fi; }',
    ...unpack,
    "kib=$(du -sk root | cut -f1); files=$(find root | wc -l)",
    "mke2fs -q -F -t ext4 -b 4096 -m 0 -N $((files * 5 / 4 + 4096)) -L keyframe -d root image.ext4 $((kib * 5 / 4 + 65536))k",
  ].join("\n");
  const shell = ["sh", "-c", script];
  await runTool(world, isRoot ? "sh" : "fakeroot", isRoot ? shell.slice(1) : shell);
  return join(staging, "image.ext4");
}

async function publish(world: SandboxWorld, image: string, options: ImageBuildOptions): Promise<ImageRecord> {
  const layer: LayerRef = { id: newDiskLayerId(world.random), kind: "raw" };
  const target = world.home.diskLayer(layer.id, "raw");
  const file = openDataFile(image, "change");
  try {
    file.sync();
  } finally {
    file.close();
  }
  options.progress("computing its digest");
  const sha256 = await digestFile(world, image);
  return withLock(world, "images", async () => {
    const record: ImageRecord = {
      format: 1,
      name: options.name,
      layer: layer.id,
      source: options.sourceText,
      packages: [...options.packages],
      createdAtMs: world.clock.nowMs(),
    };
    world.files.rename(image, target);
    recordDiskLayer(world, layer, sha256);
    // last: the name moves to the new image at once
    writeRecord(world.files, world.home.imageRecord(options.name), record);
    return record;
  });
}

/** By name; `not-found`. */
export function findImage(world: SandboxWorld, name: ObjectName): ImageRecord {
  const record = readImageRecord(world.files, world.home.imageRecord(name));
  if (record !== undefined) return record;
  throw new KeyframeError("not-found", `there is no image ${name}`, {
    hint: `\`keyframe image build ${name} --from debian:bookworm\` makes one`,
  });
}

async function runTool(world: SandboxWorld, program: string, args: readonly string[]): Promise<Buffer> {
  const result = await world.processes.run(program, args, { timeoutMs: hourMs });
  if (result.code === 0 && result.signal === undefined) return result.stdout;
  throw new KeyframeError(
    "program-failed",
    `${program} ended with ${result.signal ?? result.code}: ${result.stderr.trim().slice(-2000)}`,
  );
}

/** Folders of the image may forbid even their owner to empty them. */
async function removeStaging(world: SandboxWorld, staging: string, isRoot: boolean): Promise<void> {
  if (!isRoot) await world.processes.run("chmod", ["-R", "u+rwX", staging]);
  world.files.removeTree(staging);
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
