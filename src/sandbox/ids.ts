import { KeyframeError } from "../base/errors.ts";
import { type Random, randomHex } from "../system/random.ts";

declare const brand: unique symbol;

/** `sb-` and 12 hex digits. */
export type SandboxId = string & { readonly [brand]: "sandbox" };
/** `sn-` and 12 hex digits. */
export type SnapshotId = string & { readonly [brand]: "snapshot" };
/** `dl-` and 12 hex digits: one layer of a disk. */
export type DiskLayerId = string & { readonly [brand]: "disk layer" };
/** What the user calls an image, a sandbox or a snapshot: also a file name. */
export type ObjectName = string & { readonly [brand]: "name" };

export function newSandboxId(random: Random): SandboxId {
  return `sb-${randomHex(random, 12)}` as SandboxId;
}

export function newSnapshotId(random: Random): SnapshotId {
  return `sn-${randomHex(random, 12)}` as SnapshotId;
}

export function newDiskLayerId(random: Random): DiskLayerId {
  return `dl-${randomHex(random, 12)}` as DiskLayerId;
}

/** Undefined unless the text is such an id. Ids become paths, so every id from a file or a user comes through here. */
export function parseSandboxId(text: string): SandboxId | undefined {
  return /^sb-[0-9a-f]{12}$/.test(text) ? (text as SandboxId) : undefined;
}

export function parseSnapshotId(text: string): SnapshotId | undefined {
  return /^sn-[0-9a-f]{12}$/.test(text) ? (text as SnapshotId) : undefined;
}

export function parseDiskLayerId(text: string): DiskLayerId | undefined {
  return /^dl-[0-9a-f]{12}$/.test(text) ? (text as DiskLayerId) : undefined;
}

/** Letters, digits, `.`, `_`, `-`; starts with a letter or digit; at most 64; cannot be taken for an id. */
export function parseObjectName(text: string): ObjectName {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(text) && !/^(sb|sn|dl)-[0-9a-f]{12}$/.test(text)) {
    return text as ObjectName;
  }
  throw new KeyframeError("invalid-input", `${JSON.stringify(text)} is not a name`, {
    hint: "use up to 64 letters, digits, dots, dashes and underscores, starting with a letter or digit",
  });
}
