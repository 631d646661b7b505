import { join, resolve } from "node:path";
import { isKeyframeError, KeyframeError } from "../../../base/errors.ts";
import { startNbdServer } from "../../../nbd/server.ts";
import { temporaryFolder } from "../../../system/files/temporary-directory.ts";
import { listenNodeSocket } from "../../../system/net/sockets.ts";
import type { RunningProcess } from "../../../system/process/processes.ts";
import { waitForStopSignal } from "../../../system/process/stop-signal.ts";
import { randomHex } from "../../../system/random.ts";
import type { CliContext } from "../../command/context.ts";
import type { DeviceFlags } from "../open/device-flags.ts";
import { openFlaggedDevice } from "../open/open-device.ts";
import { type MountPlan, planMount } from "./plan-mount.ts";

const readyLimitMs = 15_000;
const pollMs = 20;

/** Serves the image on a private socket, lets a client program show it, and takes both down at the end. */
export async function imageMount(
  this: CliContext,
  flags: DeviceFlags,
  image: string,
  target: string,
): Promise<void> {
  const stopped = waitForStopSignal();
  const folder = join(temporaryFolder(), `keyframe-mount-${randomHex(this.random, 16)}`);
  const socketPath = join(folder, "socket");
  const plan = planMount({
    target: resolve(this.cwd, target),
    socketPath,
    pidPath: join(folder, "pid"),
    stat: (path) => this.files.statTargetIfExists(path),
  });
  const device = await openFlaggedDevice(this, image, flags);
  try {
    this.files.makeFolder(folder);
    const server = await startNbdServer(
      { address: { path: socketPath }, exports: [{ name: "", device }] },
      { listenSocket: listenNodeSocket, clock: this.clock },
    );
    try {
      const client = this.processes.start(plan.program, plan.args);
      await waitUntilShown(this, client, plan);
      this.terminal.out(plan.shownAt);
      await Promise.race([stopped, client.exited]);
      await takeDown(this, client, plan);
    } finally {
      await server.close();
    }
  } finally {
    this.files.removeTree(folder);
    await device.close();
  }
}

async function waitUntilShown(context: CliContext, client: RunningProcess, plan: MountPlan): Promise<void> {
  let complaint = "";
  client.stderr.on("data", (piece: Buffer) => {
    complaint = (complaint + piece.toString("utf8")).slice(-2000);
  });
  const ended = client.exited.then(
    () => true,
    (error: unknown) => {
      if (!isKeyframeError(error, "program-missing")) throw error;
      throw new KeyframeError("program-missing", error.message, {
        hint: plan.missingHint,
        cause: error.cause,
      });
    },
  );
  const startMs = context.clock.monotonicMs();
  while (context.files.statTargetIfExists(plan.readyPath) === undefined) {
    if (await Promise.race([ended, context.clock.sleep(pollMs)])) {
      throw new KeyframeError("program-failed", `${plan.program} ended: ${complaint.trim()}`, {
        hint: "mounting may need root; `keyframe image serve` does not",
      });
    }
    if (context.clock.monotonicMs() - startMs > readyLimitMs) {
      client.kill();
      throw new KeyframeError("timed-out", `${plan.program} did not show the disk within ${readyLimitMs} ms`);
    }
  }
}

async function takeDown(context: CliContext, client: RunningProcess, plan: MountPlan): Promise<void> {
  if (plan.unmount === undefined) client.kill("SIGTERM");
  else await context.processes.run(plan.unmount.program, plan.unmount.args);
  await client.exited;
}
