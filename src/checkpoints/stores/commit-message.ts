import type { StoreKind } from "../record/checkpoint-tree.ts";
import type { CheckpointWrite, CheckpointWriteOptions } from "./store.ts";

/** What a commit on a checkpoint ref is for. */
export type WritePurpose = "checkpoint" | "finalize" | "summary" | "machine" | "migration";

/** The subjects and trailers that the tools of the format write and look for. */
export function commitMessage(kind: StoreKind, purpose: WritePurpose): CheckpointWriteOptions["message"] {
  return (writes) => {
    const [first] = writes;
    if (first === undefined) return "Checkpoint";
    if (purpose === "migration" && (kind !== "refs" || writes.length > 1)) {
      const sessions = writes.reduce((sum, write) => sum + write.sessions.length, 0);
      return `Migrate batch: ${writes.length} checkpoint(s), ${sessions} session(s)`;
    }
    if (purpose === "migration") return `Import checkpoint ${first.id} (migrated)`;
    const ids = writes.map(({ id }) => id).join(", ");
    if (purpose === "summary") return `Update checkpoint summary for ${ids}`;
    if (purpose === "machine") return `Name the machine of ${ids}`;
    if (purpose === "finalize") {
      return kind === "v2" ? `Finalize checkpoint: ${ids}` : `Finalize transcript for Checkpoint: ${ids}`;
    }
    return kind === "v2" ? `Checkpoint: ${ids}` : `Checkpoint: ${ids}\n\n${trailers(writes).join("\n")}`;
  };
}

function trailers(writes: readonly CheckpointWrite[]): string[] {
  const session = writes.at(-1)?.sessions.at(-1)?.metadata;
  const lines: string[] = [];
  for (const [name, key] of [
    ["Entire-Session", "session_id"],
    ["Entire-Strategy", "strategy"],
    ["Entire-Agent", "agent"],
  ] as const) {
    const value = session?.get(key);
    // a line break in a value would start a trailer of its own
    if (typeof value === "string" && value !== "") lines.push(`${name}: ${value.replace(/\s+/g, " ")}`);
  }
  return lines;
}
