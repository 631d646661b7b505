import type { Json, JsonObject } from "../../base/json.ts";
import type { PromptFinder } from "../../journal/log/session-log.ts";
import type { LineOwner } from "./owner-lookup.ts";
import { type BlameLine, textOfBytes } from "./porcelain.ts";
import { createReferencedRecords } from "./referenced-records.ts";

/**
 * The result of `keyframe blame --json`. `lines` names agents' lines only, by ranges, as git-ai does; `blame` has every
 * line. Records of all keys that occur are beside them.
 */
export function blameJson(
  lines: readonly BlameLine[],
  owners: readonly (LineOwner | undefined)[],
  findPrompt: PromptFinder,
): JsonObject {
  const records = createReferencedRecords(findPrompt);
  const agentRuns: { first: number; last: number; key: string }[] = [];
  const blame = lines.map((line, index): JsonObject => {
    const owned = owners[index];
    if (owned !== undefined) records.add(owned);
    if (owned?.owner.kind === "agent") {
      const previous = agentRuns.at(-1);
      if (previous?.key === owned.key && previous.last + 1 === line.finalLine) previous.last = line.finalLine;
      else agentRuns.push({ first: line.finalLine, last: line.finalLine, key: owned.key });
    }
    return {
      line: line.finalLine,
      commit: line.commit,
      original_path: line.path,
      original_line: line.line,
      author: textOfBytes(line.details.get("author") ?? ""),
      author_mail: textOfBytes(line.details.get("author-mail") ?? ""),
      author_time: Number(line.details.get("author-time") ?? 0),
      author_tz: line.details.get("author-tz") ?? "",
      summary: textOfBytes(line.details.get("summary") ?? ""),
      owner: owned === undefined ? null : ownerJson(owned),
      content: textOfBytes(line.contentBytes),
    };
  });
  const ranges = agentRuns.map(({ first, last, key }) => [
    first === last ? `${first}` : `${first}-${last}`,
    key,
  ]);
  return { lines: Object.fromEntries(ranges) as JsonObject, ...records.toJson(), blame };
}

/** An owner as JSON: kind, key, and who. */
export function ownerJson({ key, owner }: LineOwner): Json {
  return owner.kind === "human"
    ? { kind: "human", key, identity: owner.identity, ...(owner.isStated ? { stated: true } : {}) }
    : {
        kind: "agent",
        key,
        session: owner.session,
        trace: owner.trace ?? null,
        tool: owner.agent.tool,
        model: owner.agent.model,
        conversation: owner.agent.id,
      };
}
