import type { LayerFrame, LayerIndex } from "../../formats/layer-format.ts";
import type { StoredRun } from "./open-layer.ts";

const runBytes = 1024 * 1024;

/** The stored frames of a layer, each once, as runs of about one MiB in stored order; they tile the layer's body. */
export function* storedRuns(index: LayerIndex): Generator<StoredRun> {
  let frames: LayerFrame[] = [];
  let offsetBytes = 0;
  let end = 0;
  for (const frame of index.frames) {
    if (frame.storedOffsetBytes < end) continue; // shares the bytes of an earlier frame
    if (frames.length > 0 && end - offsetBytes + frame.storedBytes > runBytes) {
      yield { offsetBytes, lengthBytes: end - offsetBytes, frames };
      frames = [];
    }
    if (frames.length === 0) offsetBytes = frame.storedOffsetBytes;
    frames.push(frame);
    end = frame.storedOffsetBytes + frame.storedBytes;
  }
  if (frames.length > 0) yield { offsetBytes, lengthBytes: end - offsetBytes, frames };
}
