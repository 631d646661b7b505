import { parseDurationMs } from "../../base/text/quantities.ts";
import { describeSandbox } from "../../sandbox/lifecycle/describe-sandbox.ts";
import { fillPool } from "../../sandbox/lifecycle/fill-pool.ts";
import { defaultPoolIdleMs } from "../../sandbox/limits.ts";
import type { SandboxContext } from "../../sandbox/store/home.ts";
import {
  findSnapshot,
  mustBeReady,
  type ReadySnapshot,
  snapshotFiles,
} from "../../sandbox/store/snapshot-store.ts";
import { startDetached } from "../../system/process/detached-process.ts";
import type { CliContext } from "../command/context.ts";
import { sandboxContextOf } from "./context.ts";

export interface PoolFlags {
  readonly size?: number;
  readonly idle?: string;
  readonly json?: boolean;
}

const defaultSize = 2;

/** Brings the pool of a snapshot to its size and prints what is ready. */
export async function fillPoolCommand(this: CliContext, flags: PoolFlags, id: string): Promise<void> {
  const sandboxContext = sandboxContextOf(this);
  const ready = await fillPool(
    sandboxContext,
    mustBeReady(sandboxContext, findSnapshot(sandboxContext, id)),
    {
      size: flags.size ?? defaultSize,
      idleMs: flags.idle === undefined ? defaultPoolIdleMs : parseDurationMs(flags.idle),
    },
  );
  if (flags.json) this.terminal.json(ready.map((record) => describeSandbox(sandboxContext, record)));
  else for (const record of ready) this.terminal.out(record.id);
}

/** The same by a process of its own, which goes on when this one ends. What it has to say is in `pool.log`. */
export async function fillPoolInBackground(
  sandboxContext: SandboxContext,
  snapshot: ReadySnapshot,
  size: number,
): Promise<void> {
  const { folder } = snapshotFiles(sandboxContext, snapshot.id);
  await startDetached(
    sandboxContext.program.node,
    [sandboxContext.program.entry, "sandbox", "pool", snapshot.id, "--size", String(size)],
    { logPath: `${folder}/pool.log`, cwd: sandboxContext.home.root },
  );
}
