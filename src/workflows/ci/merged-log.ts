import type { CarriedFile, NotedSource } from "../../authorship/note/carry-notes.ts";
import { type AuthorshipLog, schemaVersion } from "../../authorship/note/log.ts";
import { entriesOfRuns } from "../../authorship/note/log-codec.ts";
import { type JsonObject, objectField } from "../../base/json.ts";
import { keyframeVersion } from "../../base/version.ts";
import type { CheckpointId } from "../../checkpoints/record/ids.ts";
import type { Oid } from "../../git/ids.ts";
import { sessionOfOwner } from "../../journal/line-owners.ts";
import type { ChangeEvidence } from "./find-changes.ts";

export interface MergedLogFacts {
  readonly commit: Oid;
  readonly files: readonly CarriedFile[];
  /** Where owners came from. */
  readonly used: readonly NotedSource[];
  readonly checkpoints: readonly CheckpointId[];
  readonly change: number;
  readonly evidence: ChangeEvidence;
}

/** The note of a commit that a service made of others: their owners, their links, and how the pairing is known. Pure. */
export function mergedLog(facts: MergedLogFacts): AuthorshipLog {
  const { commit, files, used, checkpoints, change, evidence } = facts;
  const keys = new Set(files.flatMap(({ runs }) => runs.map(({ key }) => key)));
  const records = pickRecords(
    used.map(({ log }) => log.metadata),
    keys,
  );
  const traces = pickTraces(used, keys);
  return {
    files: files.map(({ path, runs }) => ({ path, entries: entriesOfRuns(runs) })),
    metadata: {
      schema_version: schemaVersion,
      git_ai_version: `keyframe ${keyframeVersion}`,
      base_commit_sha: commit,
      prompts: {},
      ...records,
      keyframe: {
        ...(Object.keys(traces).length === 0 ? {} : { traces }),
        ...(checkpoints.length === 0 ? {} : { checkpoints }),
        inferred: { change, evidence, from: used.map((source) => source.commit) },
      },
    },
  };
}

/** What explains the owners: sessions, known humans and prompts of older notes. */
function pickRecords(metadata: readonly JsonObject[], keys: ReadonlySet<string>): Record<string, JsonObject> {
  const wanted = new Set([...keys].map(sessionOfOwner));
  const picked: Record<string, Record<string, JsonObject>> = {};
  for (const field of ["prompts", "humans", "sessions"]) {
    for (const records of metadata.map((object) => objectField(object, field) ?? {})) {
      for (const key of wanted) {
        const record = objectField(records, key);
        if (record !== undefined) picked[field] = { ...picked[field], [key]: record };
      }
    }
  }
  return picked;
}

/** How the edits were seen stays true wherever their lines go. */
function pickTraces(used: readonly NotedSource[], keys: ReadonlySet<string>): Record<string, JsonObject> {
  const picked: Record<string, JsonObject> = {};
  for (const { log } of used) {
    const traces = objectField(objectField(log.metadata, "keyframe") ?? {}, "traces") ?? {};
    for (const key of keys) {
      const trace = key.split("::")[1] ?? "";
      const record = objectField(traces, trace);
      if (record !== undefined) picked[trace] = record;
    }
  }
  return picked;
}
