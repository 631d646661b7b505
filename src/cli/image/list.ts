import { formatBytes } from "../../base/bytes.ts";
import { describeImage } from "../../blocks/images/describe-image.ts";
import { listImages } from "../../blocks/images/list-images.ts";
import type { CliContext } from "../command/context.ts";
import { formatTable } from "../output/terminal.ts";
import { type StoreFlags, withImages } from "./open/open-repository.ts";

/** Lists the images of a store. */
export async function listImagesCommand(this: CliContext, flags: StoreFlags): Promise<void> {
  await withImages(this, flags, async ({ repository, signal }) => {
    const { images, problems } = await listImages(repository.store, signal);
    const rows = images.map(({ id, names, createdMs, manifest, problem }) => {
      const description = manifest === undefined ? undefined : describeImage(manifest);
      return {
        id,
        names,
        created: new Date(createdMs).toISOString(),
        sizeBytes: description?.sizeBytes ?? null,
        dataBytes: description?.dataBytes ?? null,
        layers: description?.layers.length ?? null,
        problem: problem ?? null,
      };
    });
    if (flags.json) return this.terminal.json({ images: rows, problems });
    const header = ["ID", "NAMES", "SIZE", "DATA", "LAYERS", "CREATED"];
    const body = rows.map((row) => [
      row.id.slice(0, 16),
      row.names.join(" ") || "-",
      row.sizeBytes === null ? "damaged" : formatBytes(row.sizeBytes),
      row.dataBytes === null ? "-" : formatBytes(row.dataBytes),
      String(row.layers ?? "-"),
      row.created,
    ]);
    if (rows.length > 0)
      this.terminal.out(
        formatTable([header, ...body], [{}, {}, { align: "right" }, { align: "right" }, { align: "right" }]),
      );
    for (const problem of [...problems, ...rows.flatMap((row) => row.problem ?? [])])
      this.terminal.note(problem);
  });
}
