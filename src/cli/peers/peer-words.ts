import type { Peer, PeerName } from "./find-peers.ts";
import { peerTitles, type TakenOver, type TakeOverPlan } from "./take-over.ts";

/** What there is twice while a peer and Keyframe both record. */
export const doubled: Readonly<Record<PeerName, string>> = {
  entire:
    "both name checkpoints in commit messages (`Entire-Checkpoint`), store the same conversations on `entire/checkpoints/v1`, and change the same states of sessions",
  "git-ai":
    "both write the note of each commit (`refs/notes/ai`), and each edit of an agent runs the hooks of both",
};

export const takeOverHint =
  "`keyframe enable --take-over` switches it off in this repository and keeps what it recorded";

/** What `enable` says of the peers: those that go on, and those that it has switched off. */
export function peerNotes(
  peers: readonly Peer[],
  plans: readonly TakeOverPlan[],
  { asked }: { readonly asked: boolean },
): string[] {
  const on = peers.filter(({ standing }) => standing === "on");
  if (!asked)
    return on.flatMap(({ name }) => [
      `${peerTitles[name]} records here too: ${doubled[name]}.`,
      `${takeOverHint}.`,
    ]);
  if (on.length === 0) return ["No other tool records here: there is nothing to take over."];
  return plans.flatMap(({ peer, changes, left }) => {
    const title = peerTitles[peer.name];
    if (left !== undefined)
      return [
        `${title} goes on: ${left}.`,
        `\`git-ai uninstall-hooks\` switches it off for all repositories; until then ${doubled[peer.name]}.`,
      ];
    return changes.length === 0 ? [] : [`${title}: ${keptWords[peer.name]}`];
  });
}

const keptWords: Readonly<Record<PeerName, string>> = {
  entire:
    "its hooks stay and do nothing, its checkpoints and sessions stay where they are, and Keyframe continues them; `keyframe disable --uninstall` gives it back",
  "git-ai":
    "its notes stay where they are, and Keyframe reads and continues them; what its log in `.git/ai` holds stays there; `keyframe disable --uninstall` gives it back",
};

/** The peers, and the settings through which some were switched off. */
interface Found {
  readonly peers: readonly Peer[];
  readonly takenOver: readonly TakenOver[];
}

/** True for a peer that is off because it was switched off here. */
export function isTakenOver({ standing, settings }: Peer, takenOver: readonly TakenOver[]): boolean {
  return standing === "off" && takenOver.some(({ entry }) => entry.path === settings.path);
}

/** A peer as `--json` shows it. */
export interface PeerDescription {
  readonly name: PeerName;
  readonly standing: "on" | "off" | "taken over";
  readonly hooks: readonly string[];
  /** The path of the settings that switch it off. */
  readonly settings: string;
}

export function describePeer(peer: Peer, wasTakenOver: boolean): PeerDescription {
  const { name, standing, hooks, settings } = peer;
  return { name, standing: wasTakenOver ? "taken over" : standing, hooks, settings: settings.path };
}

const standingWords: Readonly<Record<PeerDescription["standing"], string>> = {
  on: "records here too",
  off: "does not record here",
  "taken over": "switched off here: `keyframe disable --uninstall` gives it back",
};

/** One line for `status`. */
export function peerStatus(name: PeerName, standing: PeerDescription["standing"]): string {
  return standing === "on"
    ? `${standingWords.on}: ${doubled[name]}; ${takeOverHint}`
    : standingWords[standing];
}

/** Said when Keyframe is turned off and a peer that it took over stays off. */
export function stayingOff({ peers, takenOver }: Found): string[] {
  const off = peers.filter((peer) => isTakenOver(peer, takenOver));
  return off.map(
    ({ name }) =>
      `${peerTitles[name]} stays switched off here: \`keyframe disable --uninstall\` gives it back`,
  );
}
