import { KeyframeError } from "../base/errors.ts";
import { maxImageNameLength } from "./limits.ts";

/** Hex SHA-256 of a layer's header, which holds the digest of the index, which holds the digest of every frame. */
export type LayerId = string & { readonly brand: "LayerId" };

/** Hex SHA-256 of a manifest. */
export type ImageId = string & { readonly brand: "ImageId" };

/** A label that points to one image: letters, digits, `.`, `_`, `-`, and `/` between parts. */
export type ImageName = string & { readonly brand: "ImageName" };

const hexDigest = /^[0-9a-f]{64}$/;
const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]*(?:\/[A-Za-z0-9][A-Za-z0-9._-]*)*$/;

export function parseLayerId(text: string): LayerId {
  if (!hexDigest.test(text))
    throw new KeyframeError("invalid-input", `${JSON.stringify(text)} is not a layer id`);
  return text as LayerId;
}

export function parseImageId(text: string): ImageId {
  if (!hexDigest.test(text))
    throw new KeyframeError("invalid-input", `${JSON.stringify(text)} is not an image id`);
  return text as ImageId;
}

/** Names that could be taken for an id are refused. */
export function parseImageName(text: string): ImageName {
  if (
    !namePattern.test(text) ||
    text.length > maxImageNameLength ||
    isIdPrefix(text) ||
    text.split("/").length > 8
  ) {
    throw new KeyframeError("invalid-input", `${JSON.stringify(text)} cannot be the name of an image`, {
      hint: "use letters, digits, '.', '_', '-' and '/', and at least one character that no digest has",
    });
  }
  return text as ImageName;
}

/** True for what can only mean the start of an image id: 8 to 64 hex digits. */
export function isIdPrefix(text: string): boolean {
  return /^[0-9a-f]{8,64}$/.test(text);
}
