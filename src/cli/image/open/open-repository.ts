import { join } from "node:path";
import { KeyframeError } from "../../../base/errors.ts";
import { loadZstd } from "../../../blocks/formats/zstd.ts";
import type { ImageRepository } from "../../../blocks/images/repository/image-repository.ts";
import type { ObjectStore } from "../../../blocks/stores/interface/object-store.ts";
import { openStore } from "../../../blocks/stores/open-store.ts";
import { openNodeSparseFile } from "../../../system/files/sparse-file.ts";
import { createNodeHttpClient } from "../../../system/net/http.ts";
import { interruptSignal } from "../../../system/process/interrupt.ts";
import type { CliContext } from "../../command/context.ts";
import { type Progress, startProgress } from "../../output/progress.ts";
import { imageFolders } from "./folders.ts";

export interface StoreFlags {
  readonly store?: string;
  readonly json?: boolean;
}

export interface ImageSession {
  readonly repository: ImageRepository;
  /** Fires when the user interrupts the command. */
  readonly signal: AbortSignal;
  readonly openStore: (location: string) => ObjectStore;
  readonly progress: (label: string, unit: "bytes" | "items") => Progress;
}

/** Opens the store that the flags name, runs the work, and closes what was opened. */
export async function withImages<T>(
  context: CliContext,
  flags: StoreFlags,
  work: (session: ImageSession) => Promise<T>,
): Promise<T> {
  const session = await openImageSession(context, flags);
  try {
    return await work(session);
  } finally {
    await session.close();
  }
}

/** The same for work that outlives a function call, such as a server's: the caller closes it. */
export async function openImageSession(
  context: CliContext,
  flags: StoreFlags,
): Promise<ImageSession & { close(): Promise<void> }> {
  const { files, clock, random, env, cwd } = context;
  const folders = imageFolders(env);
  const machine = { files, clock, random, openFile: openNodeSparseFile };
  const opened: ObjectStore[] = [];
  const interrupt = interruptSignal(() => new KeyframeError("closed", "interrupted"));
  const open = (location: string) => {
    const store = openStore(location, {
      ...machine,
      env,
      cwd,
      createHttpClient: createNodeHttpClient,
      cacheFolder: folders.cache,
    });
    opened.push(store);
    return store;
  };
  const close = async () => {
    interrupt.stop();
    for (const store of opened) await store.close();
  };
  try {
    removeOldScratch(context, folders.scratch);
    const store = open(flags.store ?? folders.images);
    const repository = { ...machine, store, zstd: await loadZstd(), scratchFolder: folders.scratch };
    return {
      repository,
      signal: interrupt.signal,
      openStore: open,
      progress: (label, unit) => startProgress({ label, unit, stream: context.process.stderr, clock }),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

const scratchLifeMs = 24 * 60 * 60 * 1000;

/** What commands that were killed left behind. */
function removeOldScratch({ files, clock }: CliContext, folder: string): void {
  for (const { name } of files.listIfExists(folder) ?? []) {
    const path = join(folder, name);
    const stat = files.statIfExists(path);
    if (stat?.kind === "file" && stat.mtimeMs + scratchLifeMs < clock.nowMs()) files.remove(path);
  }
}
