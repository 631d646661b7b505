import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KeyframeError } from "../../../src/base/errors.ts";
import { createFolderStore } from "../../../src/blocks/stores/folder-store.ts";
import { withRetry } from "../../../src/blocks/stores/interface/with-retry.ts";
import { createMemoryStore } from "../../../src/blocks/stores/memory-store.ts";
import { withCache } from "../../../src/blocks/stores/with-cache.ts";
import { withConcurrencyLimit } from "../../../src/blocks/stores/with-concurrency-limit.ts";
import { nodeClock } from "../../../src/system/clock.ts";
import { nodeFiles } from "../../../src/system/files/files.ts";
import { openNodeSparseFile } from "../../../src/system/files/sparse-file.ts";
import { createFakeRandom, nodeRandom } from "../../../src/system/random.ts";
import { describeObjectStore } from "../../support/object-store-suite.ts";

const machine = { files: nodeFiles, openFile: openNodeSparseFile, random: nodeRandom };

function temporaryFolder() {
  const folder = mkdtempSync(join(tmpdir(), "keyframe-store-"));
  return { folder, close: async () => rmSync(folder, { recursive: true, force: true }) };
}

describeObjectStore("memory", async () => {
  const store = createMemoryStore({ clock: nodeClock });
  return { store, writer: store };
});

describeObjectStore("folder", async () => {
  const { folder, close } = temporaryFolder();
  const store = createFolderStore(join(folder, "not", "there", "yet"), machine);
  return { store, writer: store, close };
});

describeObjectStore("limited", async () => {
  const store = withConcurrencyLimit(createMemoryStore({ clock: nodeClock }), 2);
  return { store, writer: store };
});

describeObjectStore("cached", async () => {
  const { folder, close } = temporaryFolder();
  const inner = createMemoryStore({ clock: nodeClock });
  const store = withCache(inner, { files: nodeFiles, folder, maxBytes: 1_000_000 });
  return { store, writer: store, close };
});

describeObjectStore("retried, half of all calls fail and a third of all streams break off", async () => {
  const random = createFakeRandom(7);
  const chance = (share: number) => random.bytes(1).readUInt8(0) < share * 256;
  const inner = createMemoryStore({
    clock: nodeClock,
    pieceBytes: 500_000,
    faults: {
      beforeCall: () => {
        if (chance(0.5)) throw new KeyframeError("store-unavailable", "injected");
      },
      onPiece: ({ piece }) => {
        if (chance(0.1)) throw new KeyframeError("store-unavailable", "injected");
        if (chance(0.1)) return undefined;
        return chance(0.1) ? piece.subarray(0, piece.length >> 1) : piece;
      },
    },
  });
  const clock = { ...nodeClock, sleep: async () => undefined };
  const policy = { deadlineMs: 30_000, firstDelayMs: 1, maxDelayMs: 1 };
  const store = withRetry(inner, { policy, clock, random: nodeRandom });
  return { store, writer: store };
});
