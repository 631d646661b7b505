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
  "Folder, http(s)://host/path or s3://bucket/prefix; the user's own folder if absent",
  "store",
);

export const deviceFlags = {
  store: storeFlag,
  overlay: textFlag("Folder that takes the writes; without it the disk is read-only", "path"),
  readOnly: switchFlag("Refuse writes to the overlay"),
  cache: textFlag("Folder that keeps what was fetched", "path"),
  chunk: {
    kind: "parsed",
    parse: parseByteSize,
    optional: true,
    brief: "What is fetched around a read; 4M if absent",
    placeholder: "size",
  },
  tracking: {
    kind: "parsed",
    parse: parseByteSize,
    optional: true,
    brief: "What the cache knows to be there or not, the image's block to the chunk; the block if absent",
    placeholder: "size",
  },
  shareTouches: switchFlag("Put the order of first reads into a --store too, for others that open the image"),
} as const;

export const imageArgument = {
  parse: String,
  placeholder: "image",
  brief: "Name or id of a stored image, or a raw disk image file",
} as const;
