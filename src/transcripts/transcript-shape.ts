import { fieldsOf } from "./json-fields.ts";
import { isMessageDocument } from "./message-chunks.ts";

/** So much of a file's beginning tells whether it is a transcript. */
export const shapeBytes = 256 * 1024;

const maxLooked = 20;

/** Fields of which an agent's lines have at least one; of agents that are not listed anything that begins as JSON will do. */
const marks: ReadonlyMap<string, readonly string[]> = new Map([
  ["claude", ["type", "message"]],
  ["codex", ["type", "payload", "record_type", "timestamp"]],
  ["cursor", ["role", "type", "message"]],
]);

/**
 * Whether a file that begins like this can be a transcript of the agent: one JSON document of messages, or lines most of
 * which are JSON objects of its kind; real ones hold torn lines. True for an empty one.
 */
export function looksLikeTranscript(tool: string, start: Buffer): boolean {
  const text = start.toString("utf8");
  const known = marks.get(tool);
  if (text.trim() === "" || isMessageDocument(start)) return true;
  if (known === undefined) return text.trimStart().startsWith("{");
  const lines = text.split("\n");
  // the last one is cut, or still being written
  const whole = lines.slice(0, -1).filter((line) => line.trim() !== "");
  if (whole.length === 0) return text.startsWith("{");
  const looked = whole.slice(0, maxLooked);
  const fitting = looked.filter((line) => {
    const fields = parseObject(line);
    return fields !== undefined && known.some((name) => fields[name] !== undefined);
  });
  return fitting.length * 2 >= looked.length;
}

function parseObject(line: string): Record<string, unknown> | undefined {
  try {
    return fieldsOf(JSON.parse(line));
  } catch {
    return undefined; // not JSON: does not count for it
  }
}
