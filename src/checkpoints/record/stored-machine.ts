import type { JsonMap } from "../../base/json-document.ts";

/** A member of a session's metadata that other writers of the format do not have. */
export const machineField = "machine";

/**
 * The machine in which an agent was when a checkpoint's commit was the newest there: what is needed to find it in a store of
 * images, to know it by its content, and to go on in it. Digests are lower-case hex.
 */
export interface StoredMachine {
  readonly version: 1;
  /** Id of the snapshot. */
  readonly snapshot: string;
  /** Covers the snapshot's record and those below it. */
  readonly seal: string;
  /** Ids of the images that memory and disks consist of: they cover every byte. */
  readonly images: readonly string[];
  /** Name of the run. */
  readonly run: string;
  /** Absolute, in the guest. */
  readonly directory: string;
  /** The branch there, without `refs/heads/`. */
  readonly branch: string;
  /** The commit that the run began from. */
  readonly base: string;
  readonly tool: string;
}

const patterns: Readonly<Record<Exclude<keyof StoredMachine, "version" | "images">, RegExp>> = {
  snapshot: /^sn-[0-9a-f]{12}$/,
  seal: /^[0-9a-f]{64}$/,
  run: /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/,
  directory: /^(?:\/[A-Za-z0-9][A-Za-z0-9._-]{0,99}){1,10}$/,
  // what git allows and no shell or option reads otherwise
  branch: /^[A-Za-z0-9][A-Za-z0-9._/-]{0,199}$/,
  base: /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/,
  tool: /^[a-z][a-z0-9-]{0,39}$/,
};
const maxImages = 10_000;

/** Undefined for what this program did not write: anybody may have. */
export function parseStoredMachine(value: unknown): StoredMachine | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const fields = value as Readonly<Record<string, unknown>>;
  const found: Record<string, string> = {};
  for (const [name, pattern] of Object.entries(patterns)) {
    const text = fields[name];
    if (typeof text !== "string" || !pattern.test(text) || text.includes("..")) return undefined;
    found[name] = text;
  }
  const { images } = fields;
  if (fields["version"] !== 1 || !Array.isArray(images) || images.length > maxImages) return undefined;
  const ids = images.filter((id): id is string => typeof id === "string" && /^[0-9a-f]{64}$/.test(id));
  if (ids.length !== images.length) return undefined;
  // each name of the patterns was found
  return { version: 1, images: ids, ...found } as unknown as StoredMachine;
}

export function encodeStoredMachine({ images, ...fields }: StoredMachine): JsonMap {
  return new Map<string, string | number | string[]>([...Object.entries(fields), ["images", [...images]]]);
}
