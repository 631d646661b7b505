// A module of its own, so that its 260 KB are loaded only where Node has no zstd of its own.
import { init } from "@bokuweb/zstd-wasm";

export { compress, decompress } from "@bokuweb/zstd-wasm";

/**
 * The package swaps its memory under functions that are bound already when it is initialised a second time, and then
 * reads and writes at random. So once per process, also where this module is evaluated again.
 */
export function initOnce(): Promise<void> {
  const registry = globalThis as { [initialised]?: Promise<void> };
  registry[initialised] ??= init();
  return registry[initialised];
}

const initialised = Symbol.for("keyframe.zstd-wasm-initialised");
