import type { AgentEvent, TailReader } from "../agent-event.ts";
import { asFields, asName } from "../fields.ts";
import { transcriptTailBytes } from "../limits.ts";

/**
 * The model that a transcript of one document names last, by a pattern whose first group is the name. Texts inside of
 * the document have their quotes escaped, so they do not match.
 */
export function findModelInDocument(
  event: AgentEvent,
  readTail: TailReader,
  pattern: RegExp,
): string | undefined {
  if (!("transcriptPath" in event) || event.transcriptPath === undefined) return undefined;
  const tail = readTail(event.transcriptPath, transcriptTailBytes)?.toString("utf8") ?? "";
  return asName([...tail.matchAll(pattern)].at(-1)?.[1]);
}

/**
 * The model that the newest line of a transcript names at one of these places (`message.model`). A place may ask for the
 * line's kind: `type=assistant:model`.
 */
export function findModelInLines(
  event: AgentEvent,
  readTail: TailReader,
  places: readonly string[],
): string | undefined {
  if (!("transcriptPath" in event) || event.transcriptPath === undefined) return undefined;
  const lines = readTail(event.transcriptPath, transcriptTailBytes)?.toString("utf8").split("\n") ?? [];
  for (const line of lines.reverse()) {
    if (!/model/i.test(line)) continue;
    const model = modelOfLine(line, places);
    if (model !== undefined) return model;
  }
  return undefined;
}

function modelOfLine(line: string, places: readonly string[]): string | undefined {
  let fields: unknown;
  try {
    fields = JSON.parse(line);
  } catch {
    return undefined; // the first line of the tail is cut, the last may still be being written
  }
  for (const place of places) {
    const [, kind, path = ""] = /^(?:type=([^:]+):)?(.*)$/.exec(place) ?? [];
    if (kind !== undefined && asFields(fields)?.["type"] !== kind) continue;
    const value = path.split(".").reduce<unknown>((from, name) => asFields(from)?.[name], fields);
    const model = asName(value);
    if (model !== undefined && !model.startsWith("<")) return model;
  }
  return undefined;
}
