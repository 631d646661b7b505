import { buildCommand } from "@stricli/core";
import type { CliContext } from "../context.ts";

export interface MountFlags {
  readonly store?: string;
  readonly overlay?: string;
  readonly readOnly?: boolean;
  readonly cache?: string;
}

const path = (brief: string) =>
  ({ kind: "parsed", parse: String, optional: true, brief, placeholder: "path" }) as const;

export const imageMountCommand = buildCommand<MountFlags, [string, string], CliContext>({
  loader: async () => (await import("./run.ts")).imageMount,
  parameters: {
    flags: {
      store: {
        kind: "parsed",
        parse: String,
        optional: true,
        brief: "Folder, http(s)://host/path or s3://bucket/prefix; the user's own folder if absent",
        placeholder: "store",
      },
      overlay: path("Folder that takes the writes; without it the disk is read-only"),
      readOnly: { kind: "boolean", optional: true, brief: "Refuse writes to the overlay" },
      cache: path("Folder that keeps what was fetched"),
    },
    positional: {
      kind: "tuple",
      parameters: [
        {
          parse: String,
          placeholder: "image",
          brief: "Name or id of a stored image, or a raw disk image file",
        },
        {
          parse: String,
          placeholder: "target",
          brief: "Empty folder, in which the disk appears as the file `nbd`, or a device such as /dev/nbd0",
        },
      ],
    },
  },
  docs: {
    brief: "Show an image as a local disk",
    fullDescription:
      "Shows an image as a file (through FUSE, needs nbdfuse) or as a block device (needs the kernel's nbd module, nbd-client and root) until it is interrupted.\n\nExample:\n  mkdir disk && keyframe image mount ./disk.raw ./disk --overlay ./work",
  },
});
