import { KeyframeError } from "../../base/errors.ts";

/** "key=value". */
export function parseLabel(text: string): readonly [string, string] {
  const at = text.indexOf("=");
  if (at <= 0) throw new KeyframeError("usage", `${text} is not a label`, { hint: "write key=value" });
  return [text.slice(0, at), text.slice(at + 1)];
}
