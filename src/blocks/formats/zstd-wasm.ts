// A module of its own, so that its 260 KB are loaded only where Node has no zstd of its own.
export { compress, decompress, init } from "@bokuweb/zstd-wasm";
