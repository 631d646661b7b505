import { resolve } from "node:path";
import type { CliContext } from "../command/context.ts";

/** A store as it can be opened from any folder: an address as it is, a path from its root. */
export function storeLocation(context: Pick<CliContext, "cwd">, text: string): string {
  return /^(https?|s3):\/\//.test(text) ? text : resolve(context.cwd, text);
}
