import { buildCommand, numberParser } from "@stricli/core";
import type { CliContext } from "../context.ts";

export interface ServeFlags {
  readonly store?: string;
  readonly overlay?: string;
  readonly socket?: string;
  readonly port?: number;
  readonly readOnly?: boolean;
  readonly cache?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsClientCa?: string;
  readonly json?: boolean;
}

const path = (brief: string) =>
  ({ kind: "parsed", parse: String, optional: true, brief, placeholder: "path" }) as const;

export const imageServeCommand = buildCommand<ServeFlags, [string], CliContext>({
  loader: async () => (await import("./run.ts")).imageServe,
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
      socket: path("Unix socket to listen on"),
      port: {
        kind: "parsed",
        parse: numberParser,
        optional: true,
        brief: "TCP port on 127.0.0.1 to listen on; 0 takes a free one",
        placeholder: "number",
      },
      readOnly: { kind: "boolean", optional: true, brief: "Refuse writes to the overlay" },
      cache: path("Folder that keeps what was fetched"),
      tlsCert: path("Certificate (PEM); clients must then use TLS"),
      tlsKey: path("Private key of the certificate (PEM)"),
      tlsClientCa: path("Authority (PEM) that must have signed the clients' certificates"),
      json: { kind: "boolean", optional: true, brief: "Print the address as JSON" },
    },
    positional: {
      kind: "tuple",
      parameters: [
        {
          parse: String,
          placeholder: "image",
          brief: "Name or id of a stored image, or a raw disk image file",
        },
      ],
    },
  },
  docs: {
    brief: "Serve an image to NBD clients",
    fullDescription:
      "Serves an image as a network block device until it is interrupted. Only what is read is fetched.\n\nExamples:\n  keyframe image serve ./disk.raw --overlay ./work --socket /tmp/disk.sock\n  nbdinfo 'nbd+unix:///?socket=/tmp/disk.sock'",
  },
});
