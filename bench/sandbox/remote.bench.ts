import { join } from "node:path";
import { sha256Hex } from "../../src/base/digest.ts";
import { loadZstd } from "../../src/blocks/formats/zstd.ts";
import type { ImageRepository } from "../../src/blocks/images/repository/image-repository.ts";
import { openStore } from "../../src/blocks/stores/open-store.ts";
import { endBlockServer } from "../../src/sandbox/lazy/block-server.ts";
import { branchSandbox } from "../../src/sandbox/lifecycle/branch.ts";
import { forkSnapshot } from "../../src/sandbox/lifecycle/start-sandbox.ts";
import { removeSandbox } from "../../src/sandbox/removal/remove-sandbox.ts";
import { openSandboxHome, type SandboxContext } from "../../src/sandbox/store/home.ts";
import { findSandbox } from "../../src/sandbox/store/sandbox-store.ts";
import type { ReadySnapshot } from "../../src/sandbox/store/snapshot-store.ts";
import { pullLazily, pullSnapshot } from "../../src/sandbox/transfer/pull.ts";
import { pushSnapshot } from "../../src/sandbox/transfer/push.ts";
import { nodeClock } from "../../src/system/clock.ts";
import { nodeFiles } from "../../src/system/files/files.ts";
import { openNodeSparseFile } from "../../src/system/files/sparse-file.ts";
import { createNodeHttpClient } from "../../src/system/net/http.ts";
import { nodeRandom } from "../../src/system/random.ts";
import { allStarted, openSandboxLab, type SandboxLab } from "../../test/support/sandbox-context.ts";
import type { BenchOptions, BenchResult } from "../bench-result.ts";
import { startPacedServer } from "../support/paced-server.ts";

const signal = new AbortController().signal;
const mib = 1024 * 1024;

/**
 * From a snapshot in a web server far away (20 ms to the first byte, 100 MB/s) to a guest that answers: lazily, the
 * first time and again with what the first time has left in the cache, against pulling it whole first; bytes sent.
 */
export async function run({ tiny }: BenchOptions): Promise<BenchResult[]> {
  const lab = openSandboxLab();
  const folder = join(lab.context.home.root, "store");
  const server = await startPacedServer(
    folder,
    tiny ? { firstByteMs: 1, bytesPerMs: 1e6 } : { firstByteMs: 20, bytesPerMs: 1e5 },
  );
  try {
    const { record } = await lab.boot(undefined, { memoryMiB: tiny ? 160 : 512 });
    // an agent's working set that is not touched at once
    if (!tiny) await lab.sh(record, `head -c ${200 * mib} /dev/urandom > /dev/shm/held`);
    const snapshot = await (await branchSandbox(lab.context, record.id)).durable;
    await removeSandbox(lab.context, record);
    await pushSnapshot(lab.context, await repositoryAt(lab, folder), snapshot, { name: undefined, signal });
    const whole = await measure(lab, "whole", async (context) =>
      pullSnapshot(context, await repositoryAt(lab, server.url), {
        snapshot: snapshot.id,
        name: undefined,
        signal,
      }),
    );
    const wholeBytes = server.sentBytes();
    const pull = async (context: SandboxContext) =>
      pullLazily(context, await repositoryAt(lab, server.url), {
        snapshot: snapshot.id,
        name: undefined,
        signal,
        storeLocation: server.url,
      });
    const lazy = await measure(lab, "lazy", pull);
    const lazyBytes = server.sentBytes() - wholeBytes;
    const again = await measure(lab, "lazy", pull);
    const label = `${snapshot.shape.accelerator}, ${snapshot.shape.memoryMiB} MiB guest`;
    const compared = (name: string, value: number, floor: number, unit = "ms"): BenchResult => ({
      name: `${name} (${label})`,
      value,
      unit,
      floor,
      ratio: value / floor,
      resultHash: sha256Hex(`${name} ${label}`).slice(0, 12),
    });
    return [
      compared("lazy pull to a guest's answer, against pulling it whole first", lazy, whole),
      compared("the same again, with the cache of the first time", again, whole),
      compared("bytes sent until then", lazyBytes / mib, wholeBytes / mib, "MiB"),
    ];
  } finally {
    await server.close();
    await lab.close();
  }
}

async function repositoryAt(lab: SandboxLab, location: string): Promise<ImageRepository> {
  const { root } = lab.context.home;
  const machine = { files: nodeFiles, clock: nodeClock, random: nodeRandom, openFile: openNodeSparseFile };
  const store = openStore(location, {
    ...machine,
    env: process.env,
    cwd: root,
    createHttpClient: createNodeHttpClient,
    // each measurement begins without what an earlier one has fetched
    cacheFolder: join(root, `objects-${nodeRandom.bytes(4).toString("hex")}`),
  });
  return { ...machine, store, zstd: await loadZstd(), scratchFolder: join(root, "scratch") };
}

/** From nothing to the answer of a guest, in a home of that name. Ends what it started. */
async function measure(
  lab: SandboxLab,
  home: string,
  pull: (context: SandboxContext) => Promise<ReadySnapshot>,
): Promise<number> {
  const context: SandboxContext = {
    ...lab.context,
    home: openSandboxHome(nodeFiles, nodeRandom, join(lab.context.home.root, home)),
  };
  const start = performance.now();
  const snapshot = await pull(context);
  const [child] = allStarted(await forkSnapshot(context, snapshot, { count: 1 }));
  const elapsed = performance.now() - start;
  if (child !== undefined) await removeSandbox(context, findSandbox(context, child.id));
  await endBlockServer(context, snapshot.id);
  return elapsed;
}
