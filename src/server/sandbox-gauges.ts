import { sandboxStates } from "../sandbox/store/sandbox-store.ts";
import type { ServerContext } from "./context/context.ts";

const snapshotStates = ["writing", "ready"] as const;

/** What is there when `/metrics` is read: asked of the files, as everything is. */
export function addSandboxGauges({ sandboxContext, sandboxApi, metrics, sessions }: ServerContext): void {
  const { registry } = metrics;
  registry.gauge("keyframe_sandboxes", "Sandboxes by state.", () =>
    countBy(
      sandboxStates,
      sandboxApi
        .listSandboxes(sandboxContext)
        .map((record) => sandboxApi.sandboxState(sandboxContext, record)),
    ),
  );
  registry.gauge("keyframe_snapshots", "Snapshots by state.", () =>
    countBy(
      snapshotStates,
      sandboxApi.listSnapshots(sandboxContext).map((record) => record.state),
    ),
  );
  registry.gauge("keyframe_snapshot_stored_bytes", "Memory that snapshots store.", () => {
    const sizes = sandboxApi.listSnapshots(sandboxContext).map((record) => record.memory?.fileBytes ?? 0);
    return [[{}, sizes.reduce((sum, size) => sum + size, 0)]];
  });
  registry.gauge("keyframe_guest_conversations", "Guests that this server talks to.", () => [
    [{}, sessions.count()],
  ]);
}

function countBy<T extends string>(states: readonly T[], all: readonly string[]) {
  return states.map((state) => [{ state }, all.filter((each) => each === state).length] as const);
}
