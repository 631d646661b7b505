import type { JsonMap, JsonValue } from "../../base/json-document.ts";
import { dropHidden } from "../../base/text/clean-text.ts";

const maxTextLength = 4000;
const maxItems = 50;

/**
 * What a program said of a conversation, as the record keeps it; pure. A JSON object is taken member by member, any other
 * text is the outcome. Undefined where nothing was said.
 * @param redact takes out secrets: the program may have found some elsewhere
 */
export function parseSummaryText(text: string, redact: (text: string) => string): JsonMap | undefined {
  const clean = (value: unknown): string =>
    typeof value === "string"
      ? redact(dropHidden(value)).replace(/\s+/g, " ").trim().slice(0, maxTextLength)
      : "";
  const cleanAll = (value: unknown): JsonValue[] =>
    (Array.isArray(value) ? value.slice(0, maxItems) : []).map(clean).filter((item) => item !== "");
  const fields = parseObject(text);
  const learnings = fieldsOf(fields?.["learnings"]) ?? {};
  const summary: JsonMap = new Map<string, JsonValue>([
    ["intent", clean(fields?.["intent"])],
    ["outcome", clean(fields === undefined ? text : fields["outcome"])],
    [
      "learnings",
      new Map<string, JsonValue>([
        ["repo", cleanAll(learnings["repo"])],
        ["code", cleanCode(learnings["code"], clean)],
        ["workflow", cleanAll(learnings["workflow"])],
      ]),
    ],
    ["friction", cleanAll(fields?.["friction"])],
    ["open_items", cleanAll(fields?.["open_items"])],
  ]);
  return summary.get("intent") === "" && summary.get("outcome") === "" ? undefined : summary;
}

/** Findings, each with the file that it is about. */
function cleanCode(value: unknown, clean: (value: unknown) => string): JsonValue[] {
  if (!Array.isArray(value)) return [];
  return value.slice(0, maxItems).flatMap((item) => {
    const fields = fieldsOf(item);
    const finding = clean(fields?.["finding"]);
    if (finding === "") return [];
    const line = fields?.["line"];
    const code: JsonMap = new Map<string, JsonValue>([["path", clean(fields?.["path"])]]);
    if (typeof line === "number" && Number.isSafeInteger(line) && line > 0) code.set("line", line);
    return [code.set("finding", finding)];
  });
}

function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    return fieldsOf(JSON.parse(text));
  } catch {
    return undefined; // plain words
  }
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : undefined;
}
