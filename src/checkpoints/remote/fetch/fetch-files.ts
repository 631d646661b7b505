import { KeyframeError } from "../../../base/errors.ts";
import { borrowFetched } from "../../../git/fetched-objects.ts";
import type { Oid } from "../../../git/ids.ts";
import { missingObjects } from "../../../git/objects/missing-objects.ts";
import { fetchObjects } from "../../../git/remote/fetch.ts";
import type { Remote } from "../../../git/remote/remote.ts";
import { checkpointPatterns, fetchTipsWhole, type SyncContext } from "./fetch-tips.ts";

/** A stored file, and what to call it when it cannot be had. */
export interface WantedFile {
  readonly oid: Oid;
  /** "transcript of session 0 of checkpoint a1b2c3d4e5f6" */
  readonly what: string;
}

export interface FilesReport {
  readonly fetched: number;
  readonly receivedBytes: number;
  /** Recorded, but neither here nor on the remote. */
  readonly absent: readonly WantedFile[];
}

/**
 * Gets those of some files that are not on this machine, by their ids and in few requests; from a remote that gives
 * nothing by id, everything it has.
 * @throws KeyframeError `remote-failed`, `damaged`, `timed-out`, `disk-full`, naming the remote
 */
export async function fetchFiles(
  context: SyncContext,
  remote: Remote,
  wanted: readonly WantedFile[],
): Promise<FilesReport> {
  const readable = borrowFetched(context.git, context.files);
  const missing = await missingObjects(
    readable,
    wanted.map(({ oid }) => oid),
  );
  if (missing.length === 0) return { fetched: 0, receivedBytes: 0, absent: [] };
  const found = await fetchObjects(context, remote, missing);
  let receivedBytes = found?.receivedBytes ?? 0;
  if (found === undefined) {
    context.note(`${remote.name} gives no objects by id: fetching in full`);
    receivedBytes = (await fetchTipsWhole(context, remote, checkpointPatterns())).receivedBytes;
  }
  // asked again instead of believed: what is said to be here is here
  const still = new Set(await missingObjects(readable, missing));
  return {
    fetched: missing.length - still.size,
    receivedBytes,
    absent: wanted.filter(({ oid }) => still.has(oid)),
  };
}

/** @throws KeyframeError `not-on-remote` naming what is absent */
export function mustHaveAll(remote: Remote, { absent }: FilesReport): void {
  if (absent.length === 0) return;
  const names = [...new Set(absent.map(({ what }) => what))];
  throw new KeyframeError(
    "not-on-remote",
    `${remote.name} does not have ${names.slice(0, 3).join(", ")}${names.length > 3 ? ` and ${names.length - 3} more` : ""} (${absent.length} objects, such as ${absent[0]?.oid})`,
    { hint: "it is recorded, so some machine had it: push from there, or name another remote" },
  );
}
