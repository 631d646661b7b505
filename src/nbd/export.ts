import type { WritableDisk } from "../blocks/writable-disk.ts";
import type { ExportFacts } from "./option-codec.ts";
import { transmissionFlags } from "./protocol.ts";

/** A disk under a name. */
export interface NbdExport {
  readonly name: string;
  readonly description?: string;
  readonly device: WritableDisk;
}

export function factsOf({ device }: NbdExport): ExportFacts {
  const f = transmissionFlags;
  const writing = f.sendFlush | f.sendFua | f.sendTrim | f.sendWriteZeroes;
  // true because a flush on any connection makes the writes of all of them durable: there is one device behind
  const always = f.hasFlags | f.canMultiConn | f.sendCache | f.sendDf;
  return {
    sizeBytes: device.sizeBytes,
    // the protocol wants a power of two, at least 512 and at most the largest payload
    blockSizeBytes: Math.min(Math.max(device.blockSizeBytes, 512), 32 * 1024 * 1024),
    flags: always | (device.readOnly ? f.readOnly : writing),
  };
}
