import * as z from "zod";
import { KeyframeError } from "../../base/errors.ts";
import type { Files } from "../../system/files/files.ts";
import { parseProcessIdentity } from "../../system/process/process-table.ts";
import { parseDiskLayerId, parseObjectName, parseSandboxId, parseSnapshotId } from "../ids.ts";
import { maxNetworkRuleLength, maxNetworkRules, maxRecordBytes } from "../limits.ts";

// The small JSON files that describe images, disk layers, sandboxes and snapshots (docs/formats/sandbox-state.md).

const digest = z.string().regex(/^[0-9a-f]{64}$/);
/** A process, as state files name it. */
export const processIdentity = z.unknown().transform((value, context) => {
  const identity = parseProcessIdentity(value);
  if (identity !== undefined) return identity;
  context.addIssue({ code: "custom", message: "not a process" });
  return z.NEVER;
});
const sandboxId = z.string().transform((text, context) => parsed(parseSandboxId(text), context));
const snapshotId = z.string().transform((text, context) => parsed(parseSnapshotId(text), context));
const diskLayerId = z.string().transform((text, context) => parsed(parseDiskLayerId(text), context));
const name = z.string().transform((text) => parseObjectName(text));

const shape = z.object({
  memoryMiB: z.int().positive(),
  cpus: z.int().positive(),
  diskBytes: z.int().positive(),
  accelerator: z.enum(["kvm", "hvf", "tcg"]),
  machine: z.string().regex(/^[a-z0-9.-]+$/),
  processor: z.string().regex(/^[a-zA-Z0-9._,+=-]+$/),
});

const imageRecord = z.object({
  format: z.literal(1),
  name,
  layer: diskLayerId,
  source: z.string(),
  packages: z.array(z.string()),
  createdAtMs: z.number(),
});
export type ImageRecord = z.infer<typeof imageRecord>;

const diskLayerRecord = z.object({
  format: z.literal(1),
  id: diskLayerId,
  /** qcow2 layers read what they lack from the layer under them. */
  kind: z.enum(["qcow2", "raw"]),
  sha256: digest,
  /** The file as it was when its digest was last computed: while these hold, it is not read again. */
  file: z.object({ sizeBytes: z.number(), inode: z.number(), mtimeMs: z.number(), ctimeMs: z.number() }),
  /** There is no file: the block server of a snapshot that was pulled lazily shows it. */
  remote: z.literal(true).optional(),
});
export type DiskLayerRecord = z.infer<typeof diskLayerRecord>;

/** One layer of a disk, as others name it. */
const layerRef = z.object({ id: diskLayerId, kind: z.enum(["qcow2", "raw"]) });
export type DiskLayerRef = z.infer<typeof layerRef>;

const sandboxRecord = z.object({
  format: z.literal(1),
  id: sandboxId,
  name: name.optional(),
  createdAtMs: z.number(),
  image: name.optional(),
  /** The snapshot whose memory image the machine has mapped; absent after a boot, when it is all zero. */
  base: snapshotId.optional(),
  status: z.enum(["starting", "running", "stopped", "pooled"]),
  /** The process that starts it: if it is gone and the status is still `starting`, the start was abandoned. */
  starter: processIdentity.optional(),
  shape,
  generation: z.int().positive(),
  /** For every command. */
  env: z.record(z.string(), z.string()),
  /** Top first. May begin with layers that were prepared and not switched to: the machine knows. */
  disk: z.array(layerRef),
  machine: z.object({ process: processIdentity, memoryPath: z.string() }).optional(),
  /** Ends the machine at `expiresAtMs`, if that was decided after it started. */
  deadline: processIdentity.optional(),
  /** What the guest may reach; absent: nothing. */
  network: z.object({ allow: z.array(z.string().max(maxNetworkRuleLength)).max(maxNetworkRules) }).optional(),
  /** Stopped when nobody has used it for so long. */
  idleMs: z.int().positive().optional(),
  /** It had run before this start: if the start is abandoned, it is what it was. */
  continues: z.literal(true).optional(),
  /** Made to read another one's disk: nothing in it is anybody's work. */
  scratch: z.literal(true).optional(),
  /** What `resume` starts from. */
  suspended: snapshotId.optional(),
  expiresAtMs: z.number().optional(),
});
export type SandboxRecord = z.infer<typeof sandboxRecord>;

const snapshotRecord = z.object({
  format: z.literal(1),
  id: snapshotId,
  name: name.optional(),
  state: z.enum(["writing", "ready"]),
  /** The process that writes it: if it is gone and the state is still `writing`, the snapshot was abandoned. */
  writer: processIdentity.optional(),
  /** Made by `stop`, for `resume`. */
  suspendOf: sandboxId.optional(),
  createdAtMs: z.number(),
  sandbox: sandboxId.optional(),
  image: name.optional(),
  parent: z.object({ id: snapshotId, seal: digest }).optional(),
  shape,
  generation: z.int().positive(),
  hypervisor: z.string(),
  memory: z
    .object({
      memoryBytes: z.int().positive(),
      tableDigest: digest,
      dataPages: z.int().nonnegative(),
      zeroPages: z.int().nonnegative(),
      fileBytes: z.int().positive(),
    })
    .optional(),
  deviceState: z.object({ sizeBytes: z.int().positive(), sha256: digest }).optional(),
  disk: z.array(layerRef.extend({ sha256: digest })),
  pause: z
    .object({
      totalMs: z.number(),
      diskMs: z.number(),
      deviceMs: z.number(),
      scanMs: z.number(),
      copyMs: z.number(),
      pages: z.int(),
    })
    .optional(),
  /** Where its memory and disk are, if it was pulled lazily: images of a store. */
  remote: z.object({ store: z.string(), memory: digest, disk: z.record(z.string(), digest) }).optional(),
  /** Over everything above that decides what a guest restored from it will be. */
  seal: digest.optional(),
});
export type SnapshotRecord = z.infer<typeof snapshotRecord>;

export const readImageRecord = reader(imageRecord);
export const readDiskLayerRecord = reader(diskLayerRecord);
export const readSandboxRecord = reader(sandboxRecord);
export const readSnapshotRecord = reader(snapshotRecord);

type WrittenRecord = ImageRecord | DiskLayerRecord | SandboxRecord | SnapshotRecord;

/** After a crash at any moment the file holds the old record or the new one. */
export function writeRecord(files: Files, path: string, record: WrittenRecord): void {
  files.replace(path, Buffer.from(`${JSON.stringify(record, null, 2)}\n`), { mode: 0o600 });
}

/** A record from somewhere else than a file of ours; `damaged` if it is none. */
export function parseSnapshotRecord(value: unknown, what: string): SnapshotRecord {
  return checked(snapshotRecord, value, what);
}

/** Undefined if there is no such file; `damaged` if it is not such a record. */
function reader<T>(schema: z.ZodType<T>): (files: Files, path: string) => T | undefined {
  return (files, path) => {
    const bytes = files.readIfExists(path);
    if (bytes === undefined) return undefined;
    if (bytes.length > maxRecordBytes)
      throw new KeyframeError("damaged", `${path} is too large to be a record`);
    let value: unknown;
    try {
      value = JSON.parse(bytes.toString("utf8"));
    } catch (cause) {
      throw new KeyframeError("damaged", `${path} is not JSON`, { cause });
    }
    return checked(schema, value, path);
  };
}

function checked<T>(schema: z.ZodType<T>, value: unknown, path: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw new KeyframeError(
    "damaged",
    `${path} is not a record that this program knows: ${issue?.path.join(".")}: ${issue?.message}`,
  );
}

function parsed<T>(value: T | undefined, context: z.RefinementCtx): T {
  if (value !== undefined) return value;
  context.addIssue({ code: "custom", message: "not an id" });
  return z.NEVER;
}
