import { isKeyframeError, KeyframeError } from "../../base/errors.ts";
import type { ImageRepository } from "../../blocks/images/repository/image-repository.ts";
import type { StoredMachine } from "../../checkpoints/record/stored-machine.ts";
import type { SandboxContext } from "../../sandbox/store/home.ts";
import { findSnapshot, mustBeReady, type ReadySnapshot } from "../../sandbox/store/snapshot-store.ts";
import { pullLazily } from "../../sandbox/transfer/pull.ts";
import type { RemoteSnapshot } from "../../sandbox/transfer/remote-snapshot.ts";
import { imagesOf } from "./images-of.ts";

/** The machine that a checkpoint names where this computer has it, whole or by name; undefined otherwise. */
export function findMachineHere(
  sandboxContext: SandboxContext,
  machine: StoredMachine,
): ReadySnapshot | undefined {
  try {
    const here = mustBeReady(sandboxContext, findSnapshot(sandboxContext, machine.snapshot));
    return here.seal === machine.seal ? here : undefined;
  } catch (error) {
    if (isKeyframeError(error, "not-found")) return undefined;
    throw error;
  }
}

/**
 * Makes the machine that a checkpoint names known here: what starts from it fetches the blocks that it touches, each
 * checked against the ids that the checkpoint names. The store is not trusted.
 * @throws KeyframeError `not-found`, `damaged` where the store has another machine of that id
 */
export function fetchMachine(
  sandboxContext: SandboxContext,
  store: {
    readonly images: ImageRepository;
    /** As it can be opened from anywhere. */
    readonly location: string;
    readonly signal: AbortSignal;
  },
  machine: StoredMachine,
): Promise<ReadySnapshot> {
  const { images, location, signal } = store;
  return pullLazily(sandboxContext, images, {
    snapshot: machine.snapshot,
    name: undefined,
    signal,
    storeLocation: location,
    check: (chain) => mustBeNamed(chain, machine, location),
  });
}

function mustBeNamed(chain: readonly RemoteSnapshot[], machine: StoredMachine, location: string): void {
  const named = imagesOf(chain);
  const isSame = named.length === machine.images.length && named.every((id) => machine.images.includes(id));
  if (isSame && chain.at(-1)?.record.seal === machine.seal) return;
  throw new KeyframeError(
    "damaged",
    `${location} has another snapshot ${machine.snapshot} than the checkpoint names`,
    { hint: "ask who pushed it to send the machine again, or leave --machine out" },
  );
}
