import { formatBytes } from "../../base/bytes.ts";
import { KeyframeError } from "../../base/errors.ts";
import type { Git } from "../../git/git.ts";
import type { Moment } from "../../timeline/moment.ts";
import { mustFindMoment } from "../../timeline/moments/find-moment.ts";
import { type SentMachine, storeMachine } from "../../workflows/machine/store-machine.ts";
import type { CliContext } from "../command/context.ts";
import { findMachineStore } from "../command/machine-store.ts";
import { withImages } from "../image/open/open-repository.ts";
import { storeLocation } from "../image/store-location.ts";
import { sandboxContextOf } from "../sandbox/context.ts";

/** Sends the machines of moments to the store, before the checkpoints that name them go to the remote. */
export async function pushMachines(
  context: CliContext,
  git: Git,
  words: readonly string[],
): Promise<SentMachine[]> {
  if (words.length === 0) return [];
  const store = await findMachineStore(git);
  if (store === undefined)
    throw new KeyframeError("usage", "no store for machines is set", {
      hint: "name a directory or an S3 bucket: `git config keyframe.store s3://bucket/machines`",
    });
  const moments: Moment[] = [];
  for (const word of words) moments.push(await mustFindMoment(git, context.files, word));
  const sandboxContext = sandboxContextOf(context);
  const location = storeLocation(context, store);
  return withImages(context, { store: location }, async ({ repository: images, signal, progress }) => {
    const sent: SentMachine[] = [];
    for (const moment of moments) {
      const bar = progress(`machine of ${moment.id}`, "bytes");
      const deps = {
        files: context.files,
        clock: context.clock,
        sandboxContext,
        images,
        signal,
        onProgress: (done: number, total: number) => bar.update(done, total),
      };
      sent.push(await storeMachine(git, deps, moment).finally(() => bar.finish()));
    }
    return sent;
  });
}

export function printSent({ terminal }: CliContext, sent: readonly SentMachine[]): void {
  for (const { checkpoint, snapshot, storedBytes } of sent)
    terminal.out(`machine ${snapshot} of checkpoint ${checkpoint} (${formatBytes(storedBytes)} were new)`);
}
