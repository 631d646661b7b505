import { branchSandbox } from "../sandbox/branch.ts";
import { compactSnapshot } from "../sandbox/compact-snapshot.ts";
import { createSandboxes } from "../sandbox/create-sandboxes.ts";
import { fillPool } from "../sandbox/fill-pool.ts";
import { closePort, listPorts, openPort } from "../sandbox/forward-port.ts";
import { collectGarbage, listImages } from "../sandbox/gc.ts";
import { openGuestSession } from "../sandbox/guest-session.ts";
import { buildImage, findImage } from "../sandbox/image-build.ts";
import { pullLazily, pullSnapshot } from "../sandbox/pull-snapshot.ts";
import { pushSnapshot } from "../sandbox/push-snapshot.ts";
import { removeSandbox } from "../sandbox/remove-sandbox.ts";
import { removeSnapshot } from "../sandbox/remove-snapshot.ts";
import { readSandboxLogs } from "../sandbox/sandbox-logs.ts";
import { findSandbox, listSandboxes, mustRun, sandboxState } from "../sandbox/sandbox-store.ts";
import { packSnapshot, unpackSnapshot } from "../sandbox/snapshot-pack.ts";
import { findSnapshot, listSnapshots, mustBeReady } from "../sandbox/snapshot-store.ts";
import { forkSnapshot } from "../sandbox/start-sandbox.ts";
import { resumeSandbox, suspendSandbox } from "../sandbox/suspend.ts";
import { verifySnapshot } from "../sandbox/verify-snapshot.ts";

/** The functions of src/sandbox that the server calls: the ones that the commands call. */
export const sandboxLibrary = {
  branchSandbox,
  buildImage,
  closePort,
  collectGarbage,
  compactSnapshot,
  createSandboxes,
  fillPool,
  findImage,
  findSandbox,
  findSnapshot,
  forkSnapshot,
  listImages,
  listPorts,
  listSandboxes,
  listSnapshots,
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

export type SandboxLibrary = typeof sandboxLibrary;
