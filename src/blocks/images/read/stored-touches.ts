import { isKeyframeError } from "../../../base/errors.ts";
import {
  type AccessOrder,
  encodeAccessOrder,
  maxTouchOrderBytes,
  parseAccessOrder,
} from "../../cache/access-order.ts";
import type { ImageId } from "../../ids.ts";
import { touchesKey } from "../../object-keys.ts";
import { bytesContent, readObject } from "../../stores/interface/object-content.ts";
import type { ObjectStore } from "../../stores/interface/object-store.ts";

interface StoredTouches {
  readonly store: ObjectStore;
  readonly id: ImageId;
  readonly signal: AbortSignal;
}

/** The order of first touches that lies beside an image's manifest. @throws KeyframeError `damaged` */
export async function readStoredTouches({
  store,
  id,
  signal,
}: StoredTouches): Promise<AccessOrder | undefined> {
  try {
    const bytes = await readObject(store, touchesKey(id), { maxBytes: maxTouchOrderBytes, signal });
    return parseAccessOrder(bytes);
  } catch (error) {
    if (isKeyframeError(error, "not-found")) return undefined;
    throw error;
  }
}

/** Puts an order beside the manifest; the first one stays. */
export async function storeTouches({ store, id, signal }: StoredTouches, order: AccessOrder): Promise<void> {
  await store.put(touchesKey(id), bytesContent(encodeAccessOrder(order)), { signal });
}

/** Copies the order along with its image. It only speeds up the first reads: a damaged one stays where it is. */
export async function copyTouches(from: StoredTouches, to: ObjectStore): Promise<void> {
  try {
    const order = await readStoredTouches(from);
    if (order !== undefined) await storeTouches({ ...from, store: to }, order);
  } catch (error) {
    if (!isKeyframeError(error, "damaged")) throw error;
  }
}
