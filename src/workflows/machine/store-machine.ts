import { KeyframeError } from "../../base/errors.ts";
import type { ImageRepository } from "../../blocks/images/repository/image-repository.ts";
import { readCaptureSettings } from "../../checkpoints/capture/settings.ts";
import type { CheckpointId } from "../../checkpoints/record/ids.ts";
import {
  encodeStoredMachine,
  machineField,
  type StoredMachine,
} from "../../checkpoints/record/stored-machine.ts";
import { namedCheckpoints } from "../../checkpoints/record/trailers.ts";
import { openCheckpointStores } from "../../checkpoints/stores/open-stores.ts";
import { findWritingPlace } from "../../checkpoints/stores/writing-place.ts";
import type { Git } from "../../git/git.ts";
import type { SandboxContext } from "../../sandbox/store/home.ts";
import { findSnapshot, mustBeReady } from "../../sandbox/store/snapshot-store.ts";
import { pushSnapshot } from "../../sandbox/transfer/push.ts";
import { readRemoteChain } from "../../sandbox/transfer/remote-snapshot.ts";
import { fault } from "../../system/fault.ts";
import type { Machine } from "../../system/machine/machine.ts";
import { type MachineRun, readMachineRun } from "../../timeline/machines/machine-run.ts";
import type { Moment } from "../../timeline/moment.ts";
import { mustReadSession, rewriteSession } from "../stored-session.ts";
import { imagesOf } from "./images-of.ts";

export interface StoreMachineDeps extends Pick<Machine, "files" | "clock"> {
  readonly sandboxContext: SandboxContext;
  /** The store that machines go to. */
  readonly images: ImageRepository;
  readonly signal: AbortSignal;
  readonly onProgress: (doneBytes: number, totalBytes: number) => void;
}

export interface SentMachine {
  readonly checkpoint: CheckpointId;
  readonly snapshot: string;
  /** Bytes of new objects in the store. */
  readonly storedBytes: number;
}

/**
 * Sends the machine of a moment to a store of images, which keeps each block once, and then names it in the checkpoint of
 * the commit that was the newest there: who gets the checkpoint can get the machine.
 * @throws KeyframeError `refused` where the moment has no machine, or no checkpoint to be named in
 */
export async function storeMachine(git: Git, deps: StoreMachineDeps, moment: Moment): Promise<SentMachine> {
  const { sandboxContext, images, signal } = deps;
  const run = moment.machine && readMachineRun(git.repository, deps.files, moment.machine.run);
  if (moment.machine?.snapshot === undefined || run === undefined)
    throw new KeyframeError("refused", `moment ${moment.id} has no machine that could be sent`, {
      hint: "`keyframe timeline <moment>` says whether one has",
    });
  const { id, sessionId } = await mustFindPlaceInRecord(git, moment);
  const snapshot = mustBeReady(sandboxContext, findSnapshot(sandboxContext, moment.machine.snapshot));
  const { storedBytes } = await pushSnapshot(sandboxContext, images, snapshot, {
    name: undefined,
    signal,
    onProgress: (_snapshot, done, total) => deps.onProgress(done, total),
  });
  fault("store-machine:before-record");
  const chain = await readRemoteChain(images.store, snapshot.id, signal);
  const stored = describe(run, { snapshot: snapshot.id, seal: snapshot.seal, images: imagesOf(chain) });
  const { store: forNew } = readCaptureSettings(git.repository, deps);
  const place = await findWritingPlace(openCheckpointStores(git), id, forNew);
  const session = await mustReadSession(git, place, { id, sessionId });
  session.metadata.set(machineField, encodeStoredMachine(stored));
  const nowSeconds = Math.floor(deps.clock.nowMs() / 1000);
  await rewriteSession(place, id, { session, what: "machine", nowSeconds });
  return { checkpoint: id, snapshot: snapshot.id, storedBytes };
}

function describe(
  { name, directory, branch, base, tool }: MachineRun,
  found: Pick<StoredMachine, "snapshot" | "seal" | "images">,
): StoredMachine {
  return { version: 1, ...found, run: name, directory, branch, base, tool };
}

/** The checkpoint that HEAD of the moment names, and the session in it that the machine is of. */
async function mustFindPlaceInRecord(
  git: Git,
  { id: moment, base, sessions }: Moment,
): Promise<{ readonly id: CheckpointId; readonly sessionId: string }> {
  const message = base === "initial" ? "" : await git.text(["log", "-1", "--format=%B", base]);
  const [id] = namedCheckpoints(message);
  const sessionId = sessions.at(-1)?.session;
  if (id !== undefined && sessionId !== undefined) return { id, sessionId };
  throw new KeyframeError(
    "refused",
    `the newest commit of moment ${moment} has no checkpoint: nothing could name its machine elsewhere`,
    { hint: "send the machine of a turn that ended after its agent had committed" },
  );
}
