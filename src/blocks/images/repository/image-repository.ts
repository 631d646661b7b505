import { join } from "node:path";
import type { Clock } from "../../../system/clock.ts";
import type { Files } from "../../../system/files/files.ts";
import type { OpenSparseFile, SparseFile } from "../../../system/files/sparse-file.ts";
import { type Random, randomHex } from "../../../system/random.ts";
import type { Zstd } from "../../formats/zstd.ts";
import type { ObjectStore } from "../../stores/interface/object-store.ts";

/** A store of images and what is needed to work with it. */
export interface ImageRepository {
  readonly store: ObjectStore;
  readonly zstd: Zstd;
  readonly files: Files;
  readonly openFile: OpenSparseFile;
  readonly clock: Clock;
  readonly random: Random;
  /** Where layers are put together when the store has no staging directory; created when needed. */
  readonly scratchFolder: string;
}

/** A new empty file for a layer in the making, in the place from which the store takes it most cheaply. */
export function createScratchFile(repository: ImageRepository): SparseFile {
  const folder = repository.store.stagingFolder ?? repository.scratchFolder;
  repository.files.makeFolder(folder, { mode: 0o700 });
  return repository.openFile(join(folder, `layer-${randomHex(repository.random, 16)}`), { mode: "create" });
}
