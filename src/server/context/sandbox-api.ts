import { openGuestSession } from "../../sandbox/guest/session.ts";
import { buildImage, findSandboxImage } from "../../sandbox/image/build.ts";
import { branchSandbox } from "../../sandbox/lifecycle/branch.ts";
import { createSandboxes } from "../../sandbox/lifecycle/create-sandboxes.ts";
import { fillPool } from "../../sandbox/lifecycle/fill-pool.ts";
import { resumeSandbox } from "../../sandbox/lifecycle/resume-sandbox.ts";
import { readSandboxLogs } from "../../sandbox/lifecycle/sandbox-logs.ts";
import { forkSnapshot } from "../../sandbox/lifecycle/start-sandbox.ts";
import { suspendSandbox } from "../../sandbox/lifecycle/suspend.ts";
import { closePort, listPorts, openPort } from "../../sandbox/network/forward-port.ts";
import { collectSandboxGarbage } from "../../sandbox/removal/collect-garbage.ts";
import { removeSandbox } from "../../sandbox/removal/remove-sandbox.ts";
import { removeSnapshot } from "../../sandbox/removal/remove-snapshot.ts";
import { flattenSnapshot } from "../../sandbox/snapshot/flatten.ts";
import { verifySnapshot } from "../../sandbox/snapshot/verify.ts";
import { listSandboxImages } from "../../sandbox/store/list-images.ts";
import { findSandbox, listSandboxes, mustRun, sandboxState } from "../../sandbox/store/sandbox-store.ts";
import { findSnapshot, listSnapshots, mustBeReady } from "../../sandbox/store/snapshot-store.ts";
import { listOwnSnapshots } from "../../sandbox/store/warm-starts.ts";
import { packSnapshot, unpackSnapshot } from "../../sandbox/transfer/pack.ts";
import { pullLazily, pullSnapshot } from "../../sandbox/transfer/pull.ts";
import { pushSnapshot } from "../../sandbox/transfer/push.ts";

/** The functions of src/sandbox that the server calls: the ones that the commands call. */
export const sandboxApi = {
  branchSandbox,
  buildImage,
  closePort,
  collectSandboxGarbage,
  flattenSnapshot,
  createSandboxes,
  fillPool,
  findSandboxImage,
  findSandbox,
  findSnapshot,
  forkSnapshot,
  listSandboxImages,
  listPorts,
  listSandboxes,
  listSnapshots,
  listOwnSnapshots,
  mustBeReady,
  mustRun,
  openGuestSession,
  openPort,
  packSnapshot,
  pullLazily,
  pullSnapshot,
  pushSnapshot,
  readSandboxLogs,
  removeSandbox,
  removeSnapshot,
  resumeSandbox,
  sandboxState,
  suspendSandbox,
  unpackSnapshot,
  verifySnapshot,
} as const;

export type SandboxApi = typeof sandboxApi;
