import { formatBytes } from "../../base/bytes.ts";
import { collectGarbage, defaultGraceMs, planGarbage } from "../../blocks/images/collect-garbage.ts";
import type { CliContext } from "../command/context.ts";
import { type StoreFlags, withImages } from "./open/open-repository.ts";

export interface CleanImagesFlags extends StoreFlags {
  readonly dryRun?: boolean;
  readonly grace?: number;
}

/** Deletes what no image needs. */
export async function collectImages(this: CliContext, flags: CleanImagesFlags): Promise<void> {
  await withImages(this, flags, async ({ repository, signal }) => {
    const { store, clock, random } = repository;
    const options = { clock, random, graceMs: flags.grace ?? defaultGraceMs, signal };
    const result =
      flags.dryRun === true
        ? { ...(await planGarbage(store, options)), unfinishedUploads: null }
        : await collectGarbage(store, options);
    if (flags.json) {
      const { layers, ...rest } = result;
      return this.terminal.json({
        isDryRun: flags.dryRun === true,
        layers: layers.map(({ key }) => key),
        ...rest,
      });
    }
    for (const layer of result.layers) this.terminal.out(`${layer.key}  ${formatBytes(layer.sizeBytes)}`);
    const verb = flags.dryRun === true ? "would delete" : "deleted";
    this.terminal.out(
      `${verb} ${result.layers.length} layers (${formatBytes(result.layerBytes)}), kept ${result.keptLayers} in use and ${result.youngLayers} too young`,
    );
    if (result.touchOrders.length > 0)
      this.terminal.out(`${verb} ${result.touchOrders.length} touch orders of images that are gone`);
    if (result.unfinishedUploads !== null && result.unfinishedUploads > 0)
      this.terminal.out(`removed ${result.unfinishedUploads} unfinished uploads`);
  });
}
