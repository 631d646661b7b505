import { errorText, isKeyframeError } from "../../base/errors.ts";
import { decodeFrame } from "../formats/frame-codec.ts";
import type { LayerRef, Manifest } from "../formats/manifest-format.ts";
import { layerKey } from "../object-keys.ts";
import { openLayer, readStoredFrames, type StoredRun } from "./read/open-layer.ts";
import { storedRuns } from "./read/stored-runs.ts";
import type { ImageRepository } from "./repository/image-repository.ts";

export interface VerifyOptions {
  readonly signal: AbortSignal;
  /** Layers known to be sound, by id: they are not read again. Sound ones are added. */
  readonly verified?: Set<string>;
  readonly onProgress?: ((doneBytes: number, totalBytes: number) => void) | undefined;
}

export interface VerifyResult {
  readonly layers: number;
  readonly frames: number;
  readonly storedBytes: number;
  /** What is wrong, one sentence each; empty for a sound image. */
  readonly problems: readonly string[];
}

/** Reads every stored byte that the image needs, checks every digest and decompresses every frame. Goes on after damage. */
export async function verifyImage(
  repository: Pick<ImageRepository, "store" | "zstd">,
  manifest: Manifest,
  options: VerifyOptions,
): Promise<VerifyResult> {
  const { verified = new Set<string>(), onProgress } = options;
  const totalBytes = manifest.layers.reduce((sum, layer) => sum + layer.objectBytes, 0);
  const problems: string[] = [];
  let frames = 0;
  let doneBytes = 0;
  for (const ref of manifest.layers) {
    if (!verified.has(ref.id)) {
      const before = problems.length;
      try {
        frames += await verifyLayer(
          repository,
          { ref, manifest },
          {
            signal: options.signal,
            report: (problem) => problems.push(problem),
            onProgress: (layerBytes) => onProgress?.(doneBytes + layerBytes, totalBytes),
          },
        );
      } catch (error) {
        if (!isKeyframeError(error, "damaged", "not-found", "invalid-input")) throw error;
        problems.push(errorText(error));
      }
      if (problems.length === before) verified.add(ref.id);
    }
    doneBytes += ref.objectBytes;
  }
  return { layers: manifest.layers.length, frames, storedBytes: totalBytes, problems };
}

interface LayerReport {
  readonly signal: AbortSignal;
  readonly report: (problem: string) => void;
  readonly onProgress: (layerBytes: number) => void;
}

async function verifyLayer(
  { store, zstd }: Pick<ImageRepository, "store" | "zstd">,
  { ref, manifest }: { readonly ref: LayerRef; readonly manifest: Manifest },
  { signal, report, onProgress }: LayerReport,
): Promise<number> {
  const stat = await store.stat(layerKey(ref.id), signal);
  const index = await openLayer(store, ref, signal);
  if (stat !== undefined && stat.sizeBytes !== ref.objectBytes) {
    report(
      `layer ${ref.id} has ${stat.sizeBytes} bytes in ${store.location} where ${ref.objectBytes} belong`,
    );
  }
  const { blockSizeBytes } = index.header;
  if (blockSizeBytes !== manifest.blockSizeBytes)
    report(`layer ${ref.id} has blocks of ${blockSizeBytes} bytes`);
  for (const run of storedRuns(index)) {
    if ((await problemIn(run)) !== undefined) {
      for (const frame of run.frames) {
        const single = {
          offsetBytes: frame.storedOffsetBytes,
          lengthBytes: frame.storedBytes,
          frames: [frame],
        };
        const problem = await problemIn(single);
        if (problem !== undefined) report(problem);
      }
    }
    onProgress(run.offsetBytes + run.lengthBytes);
  }
  return index.frames.length;

  async function problemIn(run: StoredRun): Promise<string | undefined> {
    try {
      for await (const { frame, stored } of readStoredFrames(store, ref, { ...run, signal })) {
        decodeFrame(zstd, frame, { stored, blockSizeBytes });
      }
      return undefined;
    } catch (error) {
      if (!isKeyframeError(error, "damaged")) throw error;
      return errorText(error);
    }
  }
}
