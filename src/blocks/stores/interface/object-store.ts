import type { ByteRange } from "../../streamed-image.ts";

export interface ObjectStat {
  readonly sizeBytes: number;
  /** When the object was created, by the store's clock. */
  readonly createdMs: number;
}

export interface ListedObject extends ObjectStat {
  readonly key: string;
}

/** Bytes to put that can be read more than once and from any place, so that an upload can be repeated or resumed. */
export interface ObjectContent {
  readonly sizeBytes: number;
  /** Pieces are valid until the next is taken. */
  open(range: ByteRange, signal: AbortSignal): AsyncIterable<Buffer>;
  /** A file that holds exactly these bytes and that the store may take away instead of copying them. */
  readonly disposableFile?: string;
}

export interface PutOptions {
  readonly signal: AbortSignal;
  /** Called with the bytes stored so far; may go back when a part is repeated. */
  readonly onProgress?: (doneBytes: number) => void;
}

export type PutResult = "created" | "exists";

/**
 * Immutable objects by key (`isObjectKey`).
 *
 * Consistency: an object is there with all its bytes or not at all, whatever crashes. Once `put` has answered, every
 * reader sees the object, also in `list`; once `delete` has, none does. A reader whose object is deleted meanwhile
 * gets the rest of it or an error, never other bytes.
 *
 * Idempotence: `put` creates and never replaces; it answers "exists" where the key is taken, and leaves that object
 * alone. Of two writers of one key at the same time exactly one gets "created" for objects up to `atomicPutBytes`;
 * above that both may, so the key must be derived from the content. `delete` of what is absent is fine.
 *
 * Errors: `not-found` for an absent object (`stat` answers undefined), `invalid-input` for a range that is not inside
 * it. `store-unavailable` and `timed-out` may go away by themselves; others do not. Stores do not retry (`withRetry`
 * does), except to find what a broken upload left behind. A stream that ends early throws; it is never just short.
 *
 * Every call ends soon after its signal fires, with the signal's reason. A stream that is no longer iterated frees what it holds.
 */
export interface ObjectStore {
  /** What the store is called in messages; holds no secret. */
  readonly location: string;
  /** Largest object that two writers cannot both create. */
  readonly atomicPutBytes: number;
  /** A directory from which `disposableFile` can be taken without copying. */
  readonly stagingFolder?: string;
  stat(key: string, signal: AbortSignal): Promise<ObjectStat | undefined>;
  /** Exactly the bytes of the range, or of the whole object; pieces belong to the consumer until the next is taken. */
  read(key: string, range: ByteRange | undefined, signal: AbortSignal): AsyncIterable<Buffer>;
  put(key: string, content: ObjectContent, options: PutOptions): Promise<PutResult>;
  /** Every object whose key starts with the prefix, in any order. */
  list(prefix: string, signal: AbortSignal): AsyncIterable<ListedObject>;
  delete(key: string, signal: AbortSignal): Promise<void>;
  /** Removes what uploads that ended before `beforeMs` left behind; returns how many there were. */
  removeUnfinished(beforeMs: number, signal: AbortSignal): Promise<number>;
  /** Drops local copies of an object whose bytes failed their check; the object itself is left alone. */
  forget?(key: string): void;
  close(): Promise<void>;
}

const keyPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,200}(?:\/[A-Za-z0-9][A-Za-z0-9._-]{0,200}){0,10}$/;

/** True for relative paths of plain names: nothing that could leave a directory, be hidden, or need escaping in a URL. */
export function isObjectKey(key: string): boolean {
  return keyPattern.test(key) && key.length <= 512;
}
