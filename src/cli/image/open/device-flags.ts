import { parseByteSize } from "../../../base/text/quantities.ts";
import { switchFlag, textFlag } from "../../command/flags.ts";

/** How an image becomes a disk, for all commands that show one. */
export interface DeviceFlags {
  readonly store?: string;
  readonly overlay?: string;
  readonly readOnly?: boolean;
  readonly cache?: string;
  readonly chunk?: number;
  readonly tracking?: number;
  readonly shareTouches?: boolean;
}

export const storeFlag = textFlag(
  "Directory, http(s)://host/path or s3://bucket/prefix (default: the user's own directory)",
  "store",
);

export const deviceFlags = {
  store: storeFlag,
  overlay: textFlag("Directory that takes the writes; without it the disk is read-only", "path"),
  readOnly: switchFlag("Refuse writes to the overlay"),
  cache: textFlag("Directory that keeps what was fetched", "path"),
  chunk: {
    kind: "parsed",
    parse: parseByteSize,
    optional: true,
    brief: "Read-ahead size (default: 4M)",
    placeholder: "size",
  },
  tracking: {
    kind: "parsed",
    parse: parseByteSize,
    optional: true,
    brief: "Granularity of the cache bitmap, from the image's block size up to --chunk (default: block size)",
    placeholder: "size",
  },
  shareTouches: switchFlag("Share the recorded read order through --store"),
} as const;

export const imageArgument = {
  parse: String,
  placeholder: "image",
  brief: "Name or id of a stored image, or a raw disk image file",
} as const;
