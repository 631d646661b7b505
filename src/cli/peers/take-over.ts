import { entirePersonalSettings, giveEntireBack, switchEntireOff } from "../../agents/peers/entire.ts";
import { excludeFromGitAi, gitAiSettings, includeInGitAi, nameableUrls } from "../../agents/peers/git-ai.ts";
import { KeyframeError } from "../../base/errors.ts";
import { type FileChange, type FileState, sameState, textFile } from "../../base/file-change.ts";
import type { InstalledPath, RecordedChange } from "../setup/installed.ts";
import type { Peer, PeerName, PeerSettings } from "./find-peers.ts";

export const peerTitles: Readonly<Record<PeerName, string>> = { entire: "Entire", "git-ai": "git-ai" };

export interface TakeOverPlan {
  readonly peer: Peer;
  readonly changes: readonly RecordedChange[];
  /** Why it cannot be switched off in this repository alone. */
  readonly left?: string;
}

/**
 * What switching a peer off in this repository changes: one settings file, as the peer's own command would write it. Its
 * hooks stay where they are and do nothing. @throws KeyframeError with the name of a file that cannot be edited
 */
export function planTakeOver(peer: Peer): TakeOverPlan {
  if (peer.standing === "off") return { peer, changes: [] };
  const urls = nameableUrls(peer.urls);
  if (peer.name === "git-ai" && urls.length === 0) {
    return {
      peer,
      changes: [],
      left: "git-ai knows a repository by the URLs of its remotes, and this one has none that can be named",
    };
  }
  const { settings } = peer;
  const text = mustBeEditable(peer.name, settings);
  const after = edited(peer.name, settings, () =>
    peer.name === "entire" ? switchEntireOff(text) : excludeFromGitAi(text, urls),
  );
  const mode = settings.state.kind === "file" ? settings.state.mode : peer.name === "entire" ? 0o644 : 0o600;
  const change: RecordedChange = {
    path: settings.path,
    before: settings.state,
    after: textFile(after, mode),
    original: settings.state,
    why: `switch ${peerTitles[peer.name]} off in this repository`,
    ...(peer.name === "git-ai" ? { added: urls } : {}),
  };
  return { peer, changes: sameState(change.before, change.after) ? [] : [change] };
}

/** A settings file that was changed to switch a peer off, as it is now. */
export interface TakenOver {
  readonly name: PeerName;
  readonly entry: InstalledPath;
  readonly state: FileState;
}

/** The peer whose settings these are; undefined for all other files that `enable` writes. */
export function peerOfSettings(path: string): PeerName | undefined {
  if (path.endsWith(`/${entirePersonalSettings}`)) return "entire";
  return path.endsWith(`/${gitAiSettings}`) ? "git-ai" : undefined;
}

/** What giving a peer back changes: its settings without what was written, whoever else has edited them since. */
export function planGiveBack({ name, entry, state }: TakenOver): FileChange[] {
  if (state.kind !== "file") return [];
  const text = state.content.toString("utf8");
  const original = entry.original.kind === "file" ? entry.original.content.toString("utf8") : undefined;
  const after = readable(() =>
    name === "entire"
      ? giveEntireBack(text, original)
      : includeInGitAi(text, { urls: entry.added ?? [], original }),
  );
  if (after === undefined || after === text) return [];
  const why = `give ${peerTitles[name]} back`;
  return [{ path: entry.path, before: state, after: textFile(after, state.mode), why }];
}

function mustBeEditable(
  name: PeerName,
  { path, state, committed, problem }: PeerSettings,
): string | undefined {
  const refuse = (why: string, hint: string) =>
    new KeyframeError("refused", `cannot switch ${peerTitles[name]} off: ${path} ${why}`, { hint });
  if (problem !== undefined) throw refuse(`cannot be read (${problem.message})`, "put a file there");
  if (state.kind === "symlink")
    throw refuse("is a symlink; Keyframe does not write through it", "put a file of its own there");
  if (committed)
    throw refuse(
      "is committed, so a change of it would be everybody's",
      "take it out of git (`git rm --cached`), or switch it off for all with its own command",
    );
  if (state.kind === "absent") return undefined;
  if ((state.mode & 0o200) === 0) throw refuse("is read-only", "make it writable and run the command again");
  return state.content.toString("utf8");
}

function edited(name: PeerName, { path }: PeerSettings, edit: () => string): string {
  try {
    return edit();
  } catch (cause) {
    if (!(cause instanceof KeyframeError)) throw cause;
    throw new KeyframeError(
      cause.code,
      `cannot switch ${peerTitles[name]} off in ${path}: ${cause.message}`,
      {
        hint: "repair the file and run the command again",
      },
    );
  }
}

function readable<T>(edit: () => T): T | undefined {
  try {
    return edit();
  } catch (error) {
    if (error instanceof KeyframeError) return undefined; // damaged since: it is left as it is
    throw error;
  }
}
