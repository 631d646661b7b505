import { z } from "@hono/zod-openapi";
import { errorCodes } from "../../base/error-codes.ts";
import { sandboxStates } from "../../sandbox/store/sandbox-store.ts";
import { guestText, userName } from "../e2b/envd.ts";

// What requests and answers look like: the source of /openapi.json.

const errorCode = z.enum(
  Object.keys(errorCodes) as [keyof typeof errorCodes, ...(keyof typeof errorCodes)[]],
);

export const errorSchema = z
  .object({
    error: z.object({
      code: z.union([errorCode, z.literal("internal")]),
      message: z.string(),
      /** What to do next. */
      hint: z.string().optional(),
    }),
  })
  .openapi("Error");

const accelerator = z.enum(["kvm", "hvf", "tcg"]);

export const sandboxSchema = z
  .object({
    id: z.string(),
    name: z.string().nullable(),
    state: z.enum(sandboxStates),
    image: z.string().nullable(),
    snapshot: z.string().nullable(),
    createdAt: z.string(),
    expiresAt: z.string().nullable(),
    memoryMiB: z.number(),
    cpus: z.number(),
    diskBytes: z.number(),
    accelerator,
    generation: z.number(),
    diskLayers: z.number(),
    /** What the guest may reach; null for no network. */
    network: z.array(z.string()).nullable(),
    idleMs: z.number().nullable(),
    pid: z.number().nullable(),
  })
  .openapi("Sandbox");

export const startedSchema = z
  .union([
    sandboxSchema.extend({ ok: z.literal(true), readyMs: z.number(), problems: z.array(z.string()) }),
    errorSchema.extend({ ok: z.literal(false) }),
  ])
  .openapi("Started");

const pauseSchema = z.object({
  totalMs: z.number(),
  diskMs: z.number(),
  deviceMs: z.number(),
  scanMs: z.number(),
  copyMs: z.number(),
  pages: z.number(),
});

export const snapshotSchema = z
  .object({
    id: z.string(),
    name: z.string().nullable(),
    state: z.enum(["writing", "ready", "abandoned"]),
    createdAt: z.string(),
    sandbox: z.string().nullable(),
    image: z.string().nullable(),
    parent: z.string().nullable(),
    memoryMiB: z.number(),
    accelerator,
    hypervisor: z.string(),
    memoryStoredBytes: z.number().nullable(),
    memoryDataBytes: z.number().nullable(),
    deviceStateBytes: z.number().nullable(),
    store: z.string().nullable(),
    diskLayers: z.number(),
    pauseMs: z.number().nullable(),
    pause: pauseSchema.nullable(),
  })
  .openapi("Snapshot");

export interface SnapshotTree {
  readonly id: string;
  readonly name: string | null;
  readonly missingParent?: string | undefined;
  readonly children: readonly SnapshotTree[];
}

export const snapshotTreeSchema: z.ZodType<SnapshotTree> = z
  .lazy(() =>
    z.object({
      id: z.string(),
      name: z.string().nullable(),
      missingParent: z.string().optional(),
      children: z.array(snapshotTreeSchema).readonly(),
    }),
  )
  .openapi("SnapshotTree", { type: "object" });

export const imageSchema = z
  .object({
    name: z.string(),
    layer: z.string(),
    source: z.string(),
    packages: z.array(z.string()),
    createdAt: z.string(),
  })
  .openapi("Image");

const environment = z.record(z.string().regex(/^[^=\0]+$/, "not a name"), guestText);
export const lifetimeSeconds = z.number().positive().max(315_360_000);
const count = z.int();
/** Of every start. */
const startFields = {
  name: z.string().optional(),
  env: environment.optional(),
  ttlSeconds: lifetimeSeconds.optional(),
  /** Stopped when nobody has used it for so long. */
  idleSeconds: lifetimeSeconds.optional(),
  /** No network without it; `allow` as for `--allow`, by default what is public. */
  network: z
    .object({ allow: z.array(z.string()).optional() })
    .strict()
    .optional(),
};

export const createSchema = z
  .object({
    /** An image or a snapshot. */
    from: z.string(),
    ...startFields,
    /** From a snapshot only. */
    count: count.optional(),
    /** From an image only, as the next two. */
    memoryMiB: z.int().optional(),
    cpus: z.int().optional(),
    diskBytes: z.int().optional(),
  })
  .strict()
  .openapi("CreateSandbox");

export const forkSchema = z
  .object({
    count: count.optional(),
    ...startFields,
  })
  .strict()
  .openapi("Fork");

export const snapshotRequestSchema = z
  .object({
    name: z.string().optional(),
    /** False: answer as soon as the guest runs again. */
    wait: z.boolean().optional(),
  })
  .strict()
  .openapi("TakeSnapshot");

export const branchSchema = forkSchema
  .extend({
    /** Of the snapshot. */
    snapshotName: z.string().optional(),
  })
  .openapi("Branch");

export const resumeSchema = z.object({ ttlSeconds: lifetimeSeconds.optional() }).strict().openapi("Resume");

export const execSchema = z
  .object({
    argv: z.array(guestText).min(1).max(4096),
    env: environment.optional(),
    cwd: guestText.optional(),
    user: userName.optional(),
    timeoutMs: z.int().positive().max(0xffff_ffff).optional(),
    /** Base64: all of the command's input. */
    stdin: z.base64().optional(),
    terminal: z
      .object({ rows: z.int().min(1).max(65535), columns: z.int().min(1).max(65535) })
      .strict()
      .optional(),
  })
  .strict()
  .openapi("Exec");

export const execEventSchema = z
  .union([
    z.object({ type: z.literal("started"), pid: z.number() }),
    z.object({ type: z.enum(["stdout", "stderr"]), data: z.string() }),
    z.object({ type: z.literal("alive") }),
    z.object({
      type: z.literal("exit"),
      code: z.number().nullable(),
      signal: z.number().nullable(),
      timedOut: z.boolean(),
    }),
    errorSchema.extend({ type: z.literal("error") }),
  ])
  .openapi("ExecEvent");

export const nameSchema = z.object({ name: z.string().optional() }).strict();

export const gcSchema = z
  .object({
    olderThanSeconds: z.number().nonnegative().optional(),
    keep: z.int().nonnegative().optional(),
    dryRun: z.boolean().optional(),
  })
  .strict()
  .openapi("CollectGarbage");

export const imageBuildSchema = z
  .object({
    name: z.string(),
    /** As of `keyframe image build --from`; paths are the server's. */
    from: z.string().optional(),
    packages: z
      .array(z.string().regex(/^[a-z0-9][a-z0-9+.-]*$/, "not a package"))
      .max(1000)
      .optional(),
  })
  .strict()
  .openapi("BuildImage");
