import { KeyframeError } from "../../base/errors.ts";
import { parseDurationMs } from "../../base/text/quantities.ts";
import { serveSnapshot } from "../../sandbox/lazy/serve-snapshot.ts";
import { findSnapshot, mustBeReady } from "../../sandbox/store/snapshot-store.ts";
import { waitForStopSignal } from "../../system/process/stop-signal.ts";
import type { CliContext } from "../command/context.ts";
import { openImageSession } from "../image/open/open-repository.ts";
import { sandboxContextOf } from "../sandbox/context.ts";

export interface SnapshotServeFlags {
  readonly home?: string;
  readonly idle?: string;
}

/** The block server of a lazily pulled snapshot, until nothing needs it. */
export async function serveSnapshotDisk(
  this: CliContext,
  flags: SnapshotServeFlags,
  id: string,
): Promise<void> {
  const env = flags.home === undefined ? this.env : { ...this.env, KEYFRAME_SANDBOX_HOME: flags.home };
  const sandboxContext = sandboxContextOf({ ...this, env });
  const snapshot = mustBeReady(sandboxContext, findSnapshot(sandboxContext, id));
  if (snapshot.remote === undefined) {
    throw new KeyframeError("refused", `the data of snapshot ${id} is here: nothing has to be served`);
  }
  const stopped = waitForStopSignal();
  const session = await openImageSession(this, { store: snapshot.remote.store });
  try {
    await serveSnapshot(sandboxContext, session.repository, snapshot, {
      idleMs: parseDurationMs(flags.idle ?? "1m"),
      stopped,
      signal: session.signal,
    });
  } finally {
    await session.close();
  }
}
