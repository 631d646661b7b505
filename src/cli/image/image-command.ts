import { buildCommand, buildRouteMap } from "@stricli/core";
import { parseByteSize, parseDurationMs } from "../../base/text/quantities.ts";
import type { CliContext } from "../command/context.ts";
import { imageBuildCommand } from "./build/image-build-command.ts";
import type { CleanImagesFlags } from "./clean.ts";
import type { CreateFlags } from "./create.ts";
import type { ExportFlags } from "./export.ts";
import type { FlattenFlags } from "./flatten.ts";
import { imageMountCommand } from "./mount/image-mount-command.ts";
import { storeFlag } from "./open/device-flags.ts";
import type { StoreFlags } from "./open/open-repository.ts";
import { parseLabel } from "./parse-label.ts";
import { imageServeCommand } from "./serve/image-serve-command.ts";
import type { ImageTransferFlags } from "./transfer.ts";

const storeFlags = {
  store: storeFlag,
  json: { kind: "boolean", optional: true, brief: "Print JSON" },
} as const;

const nameFlag = {
  kind: "parsed",
  parse: String,
  optional: true,
  brief: "Name of the image in the store it goes to",
  placeholder: "name",
} as const;

const imageArgument = {
  brief: "Name, id, or the first 8 or more digits of an id",
  parse: String,
  placeholder: "image",
} as const;
const storeArgument = { brief: "The other store", parse: String, placeholder: "store" } as const;
const fileArgument = { brief: "A file", parse: String, placeholder: "file" } as const;

const createCommand = buildCommand<CreateFlags, [string], CliContext>({
  loader: async () => (await import("./create.ts")).create,
  parameters: {
    flags: {
      ...storeFlags,
      name: nameFlag,
      parent: {
        kind: "parsed",
        parse: String,
        optional: true,
        brief: "Store only the blocks that differ from this image",
        placeholder: "image",
      },
      blockSize: {
        kind: "parsed",
        parse: parseByteSize,
        optional: true,
        brief: "512 to 2M, a power of two; that of the parent, else 4K",
        placeholder: "bytes",
      },
      label: {
        kind: "parsed",
        parse: parseLabel,
        optional: true,
        variadic: true,
        brief: "Kept in the manifest; can be given again",
        placeholder: "key=value",
      },
    },
    positional: { kind: "tuple", parameters: [fileArgument] },
  },
  docs: {
    brief: "Make an image of a file",
    fullDescription:
      "Makes an image of a disk or memory file. Holes and blocks of zeros take no room.\n\nExamples:\n  keyframe image create disk.raw --name base\n  keyframe image create disk-now.raw --parent base --name after-install --label os=debian",
  },
});

const listCommand = buildCommand<StoreFlags, [], CliContext>({
  loader: async () => (await import("./list.ts")).listImagesCommand,
  parameters: { flags: storeFlags },
  docs: {
    brief: "List images",
    fullDescription:
      "Lists the images of a store.\n\nExample:\n  keyframe image list --store s3://backups/images",
  },
});

const showCommand = buildCommand<StoreFlags, [string], CliContext>({
  loader: async () => (await import("./show.ts")).showImageCommand,
  parameters: { flags: storeFlags, positional: { kind: "tuple", parameters: [imageArgument] } },
  docs: {
    brief: "Show sizes, layers, ancestors and labels of an image",
    fullDescription:
      "Shows sizes, layers, ancestors and labels of an image. Only its manifest is read.\n\nExample:\n  keyframe image show base --json",
  },
});

const verifyCommand = buildCommand<StoreFlags, string[], CliContext>({
  loader: async () => (await import("./verify.ts")).verifyStoredImage,
  parameters: { flags: storeFlags, positional: { kind: "array", parameter: imageArgument } },
  docs: {
    brief: "Check every digest of images",
    fullDescription:
      "Reads every stored byte of the images (of all if none is named) and checks every digest. Ends with exit code 5 if anything is damaged.\n\nExample:\n  keyframe image verify base",
  },
});

const packCommand = buildCommand<StoreFlags, [string, string], CliContext>({
  loader: async () => (await import("./transfer.ts")).packStoredImage,
  parameters: { flags: storeFlags, positional: { kind: "tuple", parameters: [imageArgument, fileArgument] } },
  docs: {
    brief: "Write an image into one file",
    fullDescription:
      "Writes an image with all its layers into one tar file that must not exist.\n\nExample:\n  keyframe image pack base base.kfpack",
  },
});

const unpackCommand = buildCommand<ImageTransferFlags, [string], CliContext>({
  loader: async () => (await import("./transfer.ts")).unpackStoredImage,
  parameters: {
    flags: { ...storeFlags, name: nameFlag },
    positional: { kind: "tuple", parameters: [fileArgument] },
  },
  docs: {
    brief: "Take the image of a packed file into a store",
    fullDescription:
      "Verifies a packed image and takes it into a store.\n\nExample:\n  keyframe image unpack base.kfpack --name base",
  },
});

const pushCommand = buildCommand<ImageTransferFlags, [string, string], CliContext>({
  loader: async () => (await import("./transfer.ts")).pushStoredImage,
  parameters: {
    flags: { ...storeFlags, name: nameFlag },
    positional: { kind: "tuple", parameters: [imageArgument, storeArgument] },
  },
  docs: {
    brief: "Copy an image to another store",
    fullDescription:
      "Copies an image to another store: only what is missing there. Run it again to resume after a failure.\n\nExample:\n  keyframe image push base s3://backups/images",
  },
});

const pullCommand = buildCommand<ImageTransferFlags, [string, string], CliContext>({
  loader: async () => (await import("./transfer.ts")).pullStoredImage,
  parameters: {
    flags: { ...storeFlags, name: nameFlag },
    positional: { kind: "tuple", parameters: [imageArgument, storeArgument] },
  },
  docs: {
    brief: "Copy an image from another store",
    fullDescription:
      "Copies an image from another store: only what is missing here. Run it again to resume after a failure.\n\nExample:\n  keyframe image pull base https://images.example/store",
  },
});

const cleanCommand = buildCommand<CleanImagesFlags, [], CliContext>({
  loader: async () => (await import("./clean.ts")).collectImages,
  parameters: {
    flags: {
      ...storeFlags,
      dryRun: { kind: "boolean", optional: true, brief: "Only show what would be deleted" },
      grace: {
        kind: "parsed",
        parse: parseDurationMs,
        optional: true,
        brief: "Keep what is younger (default: 1h)",
        placeholder: "time",
      },
    },
  },
  docs: {
    brief: "Delete layers that no image needs",
    fullDescription:
      "Deletes layers that no image needs and what broken uploads left behind. Refuses while an upload is under way.\n\nExamples:\n  keyframe image clean --dry-run\n  keyframe image clean --grace 24h",
  },
});

const diffCommand = buildCommand<StoreFlags, [string, string], CliContext>({
  loader: async () => (await import("./diff.ts")).diffStoredImages,
  parameters: {
    flags: storeFlags,
    positional: { kind: "tuple", parameters: [imageArgument, imageArgument] },
  },
  docs: {
    brief: "Show where two images differ",
    fullDescription:
      "Prints offset and length in bytes of each range of blocks in which two images differ.\n\nExample:\n  keyframe image diff base after-install",
  },
});

const flattenCommand = buildCommand<FlattenFlags, [string], CliContext>({
  loader: async () => (await import("./flatten.ts")).flatten,
  parameters: {
    flags: { ...storeFlags, name: nameFlag },
    positional: { kind: "tuple", parameters: [imageArgument] },
  },
  docs: {
    brief: "Make an image with the same bytes in one layer",
    fullDescription:
      "Makes an image with the same bytes in one layer and without ancestors.\n\nExample:\n  keyframe image flatten after-install --name base-2",
  },
});

const rmCommand = buildCommand<StoreFlags, [string], CliContext>({
  loader: async () => (await import("./rm.ts")).removeStoredImages,
  parameters: { flags: storeFlags, positional: { kind: "tuple", parameters: [imageArgument] } },
  docs: {
    brief: "Remove a name, and the image when it was its last",
    fullDescription:
      "Removes a name of an image, and the image when it was the last one; an id removes the image with all its names. Layers stay until `keyframe image clean`.\n\nExample:\n  keyframe image rm base",
  },
});

const exportCommand = buildCommand<ExportFlags, [string], CliContext>({
  loader: async () => (await import("./export.ts")).exportOverlay,
  parameters: {
    flags: {
      ...storeFlags,
      name: nameFlag,
      overlay: {
        kind: "parsed",
        parse: String,
        brief: "Directory that took the writes",
        placeholder: "path",
      },
    },
    positional: { kind: "tuple", parameters: [imageArgument] },
  },
  docs: {
    brief: "Create an image from an overlay's changes",
    fullDescription:
      "Stores the blocks in which an overlay differs from its image as one layer, and publishes the image that has them.\n" +
      "The overlay is not changed; stop the server that writes to it first.\n\n" +
      "Example:\n  keyframe image serve base --overlay ./work --socket /tmp/disk.sock\n" +
      "  keyframe image export base --overlay ./work --name base-with-tools",
  },
});

export const imageCommands = buildRouteMap<string, CliContext>({
  routes: {
    build: imageBuildCommand,
    create: createCommand,
    list: listCommand,
    show: showCommand,
    verify: verifyCommand,
    pack: packCommand,
    unpack: unpackCommand,
    push: pushCommand,
    pull: pullCommand,
    diff: diffCommand,
    flatten: flattenCommand,
    rm: rmCommand,
    clean: cleanCommand,
    serve: imageServeCommand,
    mount: imageMountCommand,
    export: exportCommand,
  },
  aliases: { ls: "list", info: "show", gc: "clean" },
  docs: {
    brief: "Disk and memory images: layers, stores, verification",
    fullDescription:
      "Images are layers of verified chunks in a directory, on a web server or in a bucket; only what is read is fetched.\n\n" +
      "Examples:\n  keyframe image create disk.raw --name base\n" +
      "  keyframe image push base s3://bucket/images\n  keyframe image serve base --overlay ./work --socket /tmp/disk.sock",
  },
});
