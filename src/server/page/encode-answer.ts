/**
 * An answer as JSON. Characters that turn the direction of text or cannot be seen are shown as a mark: what people and
 * agents wrote must not look like something else.
 */
export function encodeAnswer(value: object): string {
  return JSON.stringify(value).replace(/[\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g, "\ufffd");
}
