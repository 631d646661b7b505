import { sessionFacts } from "../../race/lanes/lane-facts.ts";
import type { LaneUse } from "../../race/lanes/watch-lane.ts";
import type { LaneStatus } from "../../race/race-record.ts";
import type { GuestChannel } from "../../sandbox/guest/channel.ts";
import type { Files } from "../../system/files/files.ts";
import { maxTranscriptLineBytes } from "../../transcripts/limits.ts";
import { allTokens, emptyFacts, type TranscriptFacts } from "../../transcripts/scan/transcript-facts.ts";
import { scanTranscriptLine } from "../../transcripts/scan/transcript-scan.ts";
import { readGuestFile } from "../machine/bring-files.ts";
import { guestScript } from "../machine/guest-shell.ts";

/** Where agents that can be run in a machine keep their conversations, from the home. */
const places: Readonly<Record<string, string>> = { claude: ".claude/projects", codex: ".codex/sessions" };
const maxConversationBytes = 64 * 1024 * 1024;

/** What an agent in a machine has used up to now, from the conversations it keeps there. */
export async function readUseInGuest(guest: GuestChannel, tool: string | undefined): Promise<LaneUse> {
  const place = tool === undefined ? undefined : places[tool];
  if (tool === undefined || place === undefined) return { tokens: 0, turns: 0 };
  const script = `find "$HOME/${place}" -type f -name '*.jsonl' -print0 2>/dev/null || true`;
  const paths = await guestScript(guest, script, { to: "look for conversations" });
  const used = { tokens: 0, turns: 0 };
  for (const path of paths.split("\0").filter(Boolean)) {
    const bytes = await readGuestFile(guest, path, maxConversationBytes);
    if (bytes === undefined) continue;
    const { tokens } = factsIn(tool, bytes);
    used.tokens += allTokens(tokens);
    used.turns += tokens.calls;
  }
  return used;
}

/** The sessions of a lane, from the conversations that came out of its machine. */
export function sessionsBroughtOut(
  files: Files,
  sessions: readonly { readonly tool: string; readonly id: string; readonly path: string }[],
): NonNullable<LaneStatus["sessions"]> {
  return sessions.map(({ path, ...session }) => {
    const bytes = files.readIfExists(path);
    return sessionFacts(session, bytes === undefined ? undefined : factsIn(session.tool, bytes));
  });
}

function factsIn(tool: string, bytes: Buffer): TranscriptFacts {
  const facts = emptyFacts();
  for (let from = 0; from < bytes.length; ) {
    const end = bytes.indexOf("\n", from);
    const line = bytes.subarray(from, end === -1 ? bytes.length : end);
    if (line.length <= maxTranscriptLineBytes) scanTranscriptLine(tool, line, facts);
    from += line.length + 1;
  }
  return facts;
}
