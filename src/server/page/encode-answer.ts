import { markHidden } from "../../base/text/clean-text.ts";

/** An answer as JSON in which what people and agents wrote does not look like something else. */
export function encodeAnswer(value: object): string {
  return markHidden(JSON.stringify(value));
}
