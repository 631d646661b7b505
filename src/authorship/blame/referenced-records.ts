import { type Json, type JsonObject, objectField } from "../../base/json.ts";
import type { PromptFinder } from "../../journal/log/session-log.ts";
import { sessionRecord, traceDetails } from "../note/owners.ts";
import type { LineOwner } from "./owner-lookup.ts";

export interface ReferencedRecords {
  add(owned: LineOwner): void;
  /** The records behind all added owners: `sessions`, `prompts` (legacy keys), `humans`, `traces`. */
  toJson(): JsonObject;
}

/** Collects what a JSON answer needs to explain its keys; prompts that no note holds are looked up on this machine. */
export function createReferencedRecords(findPrompt: PromptFinder): ReferencedRecords {
  const seen = new Set<string>();
  const sessions = new Map<string, Json>();
  const prompts = new Map<string, Json>();
  const humans = new Map<string, Json>();
  const traces = new Map<string, Json>();
  return {
    add({ key, owner, metadata }) {
      if (seen.has(key)) return;
      seen.add(key);
      if (owner.kind === "human") {
        humans.set(
          key,
          objectField(objectField(metadata, "humans") ?? {}, key) ?? { author: owner.identity },
        );
        return;
      }
      const record = sessionRecord(metadata, owner.session);
      if (record !== undefined)
        (owner.session.startsWith("s_") ? sessions : prompts).set(owner.session, record);
      const trace = owner.trace === undefined ? undefined : traceDetails(metadata, owner.trace);
      if (owner.trace === undefined) return;
      const prompt = trace?.prompt ?? findPrompt(owner.session, owner.trace);
      if (trace !== undefined || prompt !== undefined) {
        traces.set(owner.trace, { evidence: trace?.evidence ?? null, prompt: prompt ?? null });
      }
    },
    toJson: () => ({
      sessions: Object.fromEntries(sessions),
      prompts: Object.fromEntries(prompts),
      humans: Object.fromEntries(humans),
      traces: Object.fromEntries(traces),
    }),
  };
}
