import { borrowFetched, fetchedObjectsFolder } from "../../git/fetched-objects.ts";
import type { Git } from "../../git/git.ts";
import { openFolderFinder } from "../../git/objects/object-presence.ts";
import type { Files } from "../../system/files/files.ts";
import { readFetchedRemotes, writeFetchedRemote } from "./remote-state.ts";
import { readRemoved } from "./removed-list.ts";

/** True if something is among what was fetched that was taken out of its checkpoint since. */
export async function hasFetchedRemoved(git: Git, files: Files): Promise<boolean> {
  const tips = readFetchedRemotes({ repository: git.repository, files }).flatMap((remote) => remote.tips);
  const { blobs } = await readRemoved(borrowFetched(git, files), tips);
  if (blobs.size === 0) return false;
  const finder = openFolderFinder(fetchedObjectsFolder(git.repository), files);
  return [...blobs].some((oid) => finder.find(oid).kind !== "absent");
}

/** Removes what was fetched from all remotes: it is fetched anew when it is asked for. */
export function forgetFetched({ repository }: Git, files: Files): void {
  const place = { repository, files };
  for (const known of readFetchedRemotes(place)) writeFetchedRemote(place, { ...known, tips: [] });
  files.removeTree(fetchedObjectsFolder(repository));
}
