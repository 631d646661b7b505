import type { PushContext } from "../../checkpoints/remote/push/push-checkpoints.ts";
import type { Git } from "../../git/git.ts";
import type { TransferProgress } from "../../git/remote/network.ts";
import { type Progress, startProgress } from "../output/progress.ts";
import type { CliContext } from "./context.ts";

/** What fetching and pushing need, with a progress line on a terminal. Call `finish` when all is done. */
export function openSync(
  context: CliContext,
  git: Git,
): { readonly sync: PushContext; readonly finish: () => void } {
  let bar: { readonly phase: string; readonly progress: Progress } | undefined;
  const finish = () => {
    bar?.progress.finish();
    bar = undefined;
  };
  const onProgress = ({ phase, done, total }: TransferProgress) => {
    if (bar?.phase !== phase) {
      finish();
      const progress = startProgress({
        label: phase,
        unit: "items",
        stream: context.process.stderr,
        clock: context.clock,
      });
      bar = { phase, progress };
    }
    bar.progress.update(done, total);
  };
  const sync: PushContext = {
    git,
    files: context.files,
    processTable: context.processTable,
    trace: context.trace,
    clock: context.clock,
    onProgress,
    note(text) {
      finish();
      context.terminal.note(`keyframe: ${text}`);
    },
    nowSeconds: Math.floor(context.clock.nowMs() / 1000),
  };
  return { sync, finish };
}
