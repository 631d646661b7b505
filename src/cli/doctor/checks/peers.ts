import { readHookSituations } from "../../../git/hooks/hook-situation.ts";
import { isSwitchedOff, isSwitchedOn } from "../../../state/switch.ts";
import { homedir } from "../../../system/machine/home.ts";
import { findPeers } from "../../peers/find-peers.ts";
import { doubled, takeOverHint } from "../../peers/peer-words.ts";
import { peerTitles } from "../../peers/take-over.ts";
import type { DoctorCheck } from "./check.ts";

/** Other tools that record the same things as Keyframe does here. */
export const peersCheck: DoctorCheck = {
  name: "peers",
  label: "peer",
  async find({ cli, repository, git }) {
    const { files } = cli;
    if (!isSwitchedOn(repository, files) || isSwitchedOff(repository, files)) return [];
    const hooks = await readHookSituations(git, files);
    const peers = await findPeers({ git, files, home: homedir(), hooks });
    return peers
      .filter(({ standing }) => standing === "on")
      .map(({ name }) => ({
        kind: "two recorders",
        subject: peerTitles[name],
        what: doubled[name],
        repair: takeOverHint,
        repairable: false,
        damage: false,
      }));
  },
};
