import { join } from "node:path";
import type { Repository } from "../../git/repository.ts";
import type { Files } from "../../system/files/files.ts";
import { watch } from "../../system/files/watch.ts";

const quietMs = 150;

/** Yields after changes of refs, HEAD, the journal, sessions and races, and in the directories `besides`; several within a moment count as one. */
export async function* watchRepository(
  { gitDir, commonDir }: Repository,
  files: Files,
  { signal, besides }: { readonly signal: AbortSignal; readonly besides: readonly string[] },
): AsyncGenerator<void> {
  const places = [
    gitDir,
    join(commonDir, "refs", "heads"),
    join(commonDir, "refs", "notes"),
    join(commonDir, "refs", "keyframe"),
    join(commonDir, "entire-sessions"),
    join(commonDir, "keyframe", "races"),
    join(gitDir, "keyframe", "journal"),
    ...besides,
  ].filter((path) => files.statIfExists(path)?.kind === "folder");
  let wake: () => void = () => undefined;
  let changed = false;
  const note = () => {
    changed = true;
    wake();
  };
  signal.addEventListener("abort", note, { once: true });
  for (const place of new Set(places)) {
    void (async () => {
      try {
        for await (const _ of watch(place, signal)) note();
      } catch {
        // a directory that is gone: the others go on
      }
    })();
  }
  while (!signal.aborted) {
    if (!changed)
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    await new Promise((resolve) => setTimeout(resolve, quietMs));
    changed = false;
    if (!signal.aborted) yield;
  }
}
