import type { ObjectName } from "../sandbox/ids.ts";
import { branchSandbox, type WritingSnapshot } from "../sandbox/lifecycle/branch.ts";
import { type ForkOptions, type ForkResult, forkSnapshot } from "../sandbox/lifecycle/start-sandbox.ts";
import type { SandboxContext } from "../sandbox/store/home.ts";
import type { SandboxRecord } from "../sandbox/store/records.ts";
import type { ReadySnapshot } from "../sandbox/store/snapshot-store.ts";

export interface BranchRequest extends Omit<ForkOptions, "count"> {
  readonly snapshotName?: ObjectName;
  /** 1 by default. */
  readonly count?: number;
  /** The source runs again; its snapshot is being written. */
  readonly onPaused?: (writing: WritingSnapshot) => Promise<void> | void;
}

/** The two steps below; the server's tests put failing ones in their place. */
export interface BranchSteps {
  readonly branchSandbox: typeof branchSandbox;
  readonly forkSnapshot: typeof forkSnapshot;
}

/**
 * Saves a running sandbox and starts children of it: what every door (command line, REST, the e2b package) does. The
 * children are like their source where the request does not say otherwise.
 */
export async function branchIntoChildren(
  sandboxContext: SandboxContext,
  source: SandboxRecord,
  { snapshotName, onPaused, ...children }: BranchRequest,
  steps: BranchSteps = { branchSandbox, forkSnapshot },
): Promise<{ readonly snapshot: ReadySnapshot; readonly children: readonly ForkResult[] }> {
  const options = snapshotName === undefined ? {} : { name: snapshotName };
  const writing = await steps.branchSandbox(sandboxContext, source.id, options);
  await onPaused?.(writing);
  const snapshot = await writing.durable;
  return {
    snapshot,
    children: await steps.forkSnapshot(sandboxContext, snapshot, inherit(source, children)),
  };
}

/**
 * Network, idle limit and environment are the source's, as their processes know them; single variables can be added or
 * changed. Name and time to live belong to one sandbox and are not inherited.
 */
function inherit(
  { env, network, idleMs }: SandboxRecord,
  asked: Omit<BranchRequest, "snapshotName" | "onPaused">,
): ForkOptions {
  return {
    ...(network === undefined ? {} : { network }),
    ...(idleMs === undefined ? {} : { idleMs }),
    ...asked,
    env: { ...env, ...asked.env },
    count: asked.count ?? 1,
  };
}
