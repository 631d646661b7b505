import { buildCommand } from "@stricli/core";
import type { CliContext } from "../../command/context.ts";
import { type DeviceFlags, deviceFlags, imageArgument } from "../open/device-flags.ts";

export const imageMountCommand = buildCommand<DeviceFlags, [string, string], CliContext>({
  loader: async () => (await import("./image-mount.ts")).imageMount,
  parameters: {
    flags: deviceFlags,
    positional: {
      kind: "tuple",
      parameters: [
        imageArgument,
        {
          parse: String,
          placeholder: "target",
          brief:
            "Empty directory, in which the disk appears as the file `nbd`, or a device such as /dev/nbd0",
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
