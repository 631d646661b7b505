import { crc32 } from "node:zlib";
import { KeyframeError } from "../../base/errors.ts";
import { type ImageId, type ImageName, parseImageId } from "../ids.ts";

// docs/formats/manifest.md: one line "keyframe-image 1 <image id> <CRC-32 of name, NUL and id as 8 hex digits>".

export const maxNameRecordBytes = 256;

/** What a name points to. */
export function encodeNameRecord(name: ImageName, id: ImageId): Buffer {
  return Buffer.from(`keyframe-image 1 ${id} ${checksum(name, id)}\n`);
}

/** Throws `damaged` unless the record is whole and was made for this name. */
export function parseNameRecord(name: ImageName, bytes: Buffer): ImageId {
  const match = /^keyframe-image 1 ([0-9a-f]{64}) ([0-9a-f]{8})\n$/.exec(bytes.toString("latin1"));
  if (match?.[1] === undefined || match[2] !== checksum(name, match[1])) {
    throw new KeyframeError("damaged", `the record of the image name ${name} is damaged`, {
      hint: "use the image's id, which `keyframe image list` shows",
    });
  }
  return parseImageId(match[1]);
}

function checksum(name: string, id: string): string {
  return crc32(`${name}\0${id}`).toString(16).padStart(8, "0");
}
