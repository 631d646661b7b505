import { buildCommand, numberParser } from "@stricli/core";
import type { CliContext } from "../../command/context.ts";
import { switchFlag, textFlag } from "../../command/flags.ts";
import { type DeviceFlags, deviceFlags, imageArgument } from "../open/device-flags.ts";

export interface ImageServeFlags extends DeviceFlags {
  readonly socket?: string;
  readonly port?: number;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsClientCa?: string;
  readonly json?: boolean;
}

export const imageServeCommand = buildCommand<ImageServeFlags, [string], CliContext>({
  loader: async () => (await import("./image-serve.ts")).imageServe,
  parameters: {
    flags: {
      ...deviceFlags,
      socket: textFlag("Unix socket to listen on", "path"),
      port: {
        kind: "parsed",
        parse: numberParser,
        optional: true,
        brief: "TCP port on 127.0.0.1 to listen on; 0 takes a free one",
        placeholder: "number",
      },
      tlsCert: textFlag("Certificate (PEM); clients must then use TLS", "path"),
      tlsKey: textFlag("Private key of the certificate (PEM)", "path"),
      tlsClientCa: textFlag("Authority (PEM) that must have signed the clients' certificates", "path"),
      json: switchFlag("Print the address as JSON"),
    },
    positional: {
      kind: "tuple",
      parameters: [imageArgument],
    },
  },
  docs: {
    brief: "Serve an image to NBD clients",
    fullDescription:
      "Serves an image as a network block device until it is interrupted. Only what is read is fetched.\n\nExamples:\n  keyframe image serve ./disk.raw --overlay ./work --socket /tmp/disk.sock\n  nbdinfo 'nbd+unix:///?socket=/tmp/disk.sock'",
  },
});
