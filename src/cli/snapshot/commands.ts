import { buildCommand, buildRouteMap } from "@stricli/core";
import type { CliContext } from "../command/context.ts";
import { countFlag, jsonFlag, switchFlag, textArgument, textFlag } from "../command/flags.ts";

import type { SnapshotServeFlags } from "./serve.ts";

interface JsonFlags {
  readonly json?: boolean;
}

type Named = JsonFlags & { readonly name?: string };

const snapshotArgument = textArgument("A snapshot: its id or name", "snapshot");
const oneSnapshot = { kind: "tuple", parameters: [snapshotArgument] } as const;

const list = buildCommand<JsonFlags, [], CliContext>({
  loader: async () => (await import("./snapshot.ts")).listSnapshotsCommand,
  parameters: { flags: { json: jsonFlag } },
  docs: {
    brief: "List the snapshots",
    fullDescription: "Lists all snapshots.\n\nExample:\n  keyframe snapshot list",
  },
});

const show = buildCommand<JsonFlags, [string], CliContext>({
  loader: async () => (await import("./snapshot.ts")).showSnapshot,
  parameters: { flags: { json: jsonFlag }, positional: oneSnapshot },
  docs: {
    brief: "Show one snapshot",
    fullDescription: "Shows one snapshot.\n\nExample:\n  keyframe snapshot show before --json",
  },
});

const tree = buildCommand<JsonFlags, [], CliContext>({
  loader: async () => (await import("./snapshot.ts")).showTree,
  parameters: { flags: { json: jsonFlag } },
  docs: {
    brief: "Show snapshots with their parents",
    fullDescription: "Shows the chains of snapshots.\n\nExample:\n  keyframe snapshot tree",
  },
});

const rm = buildCommand<
  JsonFlags & { readonly cascade?: boolean; readonly force?: boolean },
  string[],
  CliContext
>({
  loader: async () => (await import("./snapshot.ts")).removeSnapshots,
  parameters: {
    flags: {
      cascade: switchFlag("Also remove its dependent snapshots"),
      force: switchFlag("Also those, and the sandboxes that run from any of them"),
      json: jsonFlag,
    },
    positional: { kind: "array", parameter: snapshotArgument },
  },
  docs: {
    brief: "Remove snapshots",
    fullDescription:
      "Removes snapshots; refuses while other snapshots depend on them or sandboxes run from them.\n\nExample:\n  keyframe snapshot rm before --cascade",
  },
});

const flatten = buildCommand<Named, [string], CliContext>({
  loader: async () => (await import("./snapshot.ts")).flattenSaved,
  parameters: {
    flags: { name: textFlag("Name of the new snapshot", "name"), json: jsonFlag },
    positional: oneSnapshot,
  },
  docs: {
    brief: "Create a standalone snapshot",
    fullDescription:
      "Creates a new snapshot of the same guest that depends on no other. The old one stays.\n\nExample:\n  keyframe snapshot flatten before --name flat",
  },
});

const verify = buildCommand<JsonFlags, [string], CliContext>({
  loader: async () => (await import("./snapshot.ts")).verify,
  parameters: { flags: { json: jsonFlag }, positional: oneSnapshot },
  docs: {
    brief: "Check everything a snapshot is made of",
    fullDescription:
      "Reads the snapshot and its ancestors, and names each piece that does not match. Exits with 5 if any.\n\nExample:\n  keyframe snapshot verify before",
  },
});

const pack = buildCommand<JsonFlags, [string, string], CliContext>({
  loader: async () => (await import("./snapshot.ts")).pack,
  parameters: {
    flags: { json: jsonFlag },
    positional: { kind: "tuple", parameters: [snapshotArgument, textArgument("The file to write", "file")] },
  },
  docs: {
    brief: "Write a snapshot into one file",
    fullDescription:
      "Writes a snapshot and its ancestors into one file.\n\nExample:\n  keyframe snapshot pack before before.kfpack",
  },
});

const unpack = buildCommand<Named, [string], CliContext>({
  loader: async () => (await import("./snapshot.ts")).unpack,
  parameters: {
    flags: { name: textFlag("Name of the snapshot here", "name"), json: jsonFlag },
    positional: { kind: "tuple", parameters: [textArgument("The file to read", "file")] },
  },
  docs: {
    brief: "Import a packed snapshot",
    fullDescription:
      "Checks a pack and takes its snapshots in.\n\nExample:\n  keyframe snapshot unpack before.kfpack --name before",
  },
});

const storeArgument = textArgument("Directory, http(s)://host/path or s3://bucket/prefix", "store");

const push = buildCommand<Named, [string, string], CliContext>({
  loader: async () => (await import("./transfer.ts")).pushStoredSnapshot,
  parameters: {
    flags: { name: textFlag("Name in the store (default: the snapshot's own)", "name"), json: jsonFlag },
    positional: { kind: "tuple", parameters: [snapshotArgument, storeArgument] },
  },
  docs: {
    brief: "Upload a snapshot to a store",
    fullDescription:
      "Uploads a snapshot and its ancestors to a store of images. What the store has is not sent again.\n\nExample:\n  keyframe snapshot push before s3://bucket/machines",
  },
});

const pull = buildCommand<Named & { readonly lazy?: boolean }, [string, string], CliContext>({
  loader: async () => (await import("./transfer.ts")).pull,
  parameters: {
    flags: {
      name: textFlag("Name of the snapshot here", "name"),
      lazy: switchFlag("Bring only what machines touch, when they touch it"),
      json: jsonFlag,
    },
    positional: {
      kind: "tuple",
      parameters: [textArgument("Its id, or its name in the store", "snapshot"), storeArgument],
    },
  },
  docs: {
    brief: "Download a snapshot from a store",
    fullDescription:
      "Downloads a snapshot and its ancestors, each part checked. With --lazy a sandbox can start before its data has arrived.\n\nExample:\n  keyframe snapshot pull before s3://bucket/machines --lazy --name before",
  },
});

const serve = buildCommand<SnapshotServeFlags, [string], CliContext>({
  loader: async () => (await import("./serve.ts")).serveSnapshotDisk,
  parameters: {
    flags: {
      home: textFlag("Directory with the state of sandboxes (default: as for every command)", "path"),
      idle: textFlag("End when nothing has used it for this long (default: 1m)", "duration"),
    },
    positional: oneSnapshot,
  },
  docs: {
    brief: "Show the data of a lazily pulled snapshot to machines",
    fullDescription:
      "Started by `sandbox run` when it is needed; it ends by itself.\n\nExample:\n  keyframe snapshot serve before",
  },
});

const clean = buildCommand<
  JsonFlags & { readonly olderThan?: string; readonly keep?: number; readonly dryRun?: boolean },
  [],
  CliContext
>({
  loader: async () => (await import("./snapshot.ts")).collectSnapshots,
  parameters: {
    flags: {
      olderThan: textFlag("Also unnamed snapshots older than this that nothing needs", "duration"),
      keep: countFlag("Also remove unused unnamed snapshots, keeping the newest N"),
      dryRun: switchFlag("Show what would go"),
      json: jsonFlag,
    },
  },
  docs: {
    brief: "Remove what nothing uses",
    fullDescription:
      "Removes what dead processes left behind and what nothing refers to; by policy also old unnamed snapshots.\n\nExample:\n  keyframe snapshot clean --older-than 7d --dry-run",
  },
});

export const snapshotRoutes = buildRouteMap<string, CliContext>({
  routes: { list, show, tree, verify, flatten, pack, unpack, push, pull, serve, clean, rm },
  aliases: { ls: "list", info: "show", gc: "clean", compact: "flatten" },
  docs: {
    hideRoute: { serve: true },
    brief: "Saved machines: list, check, move, remove",
    fullDescription: "Examples:\n  keyframe snapshot tree\n  keyframe snapshot verify before-upgrade",
  },
});
