import { createHash } from "node:crypto";
import { encodePath } from "./path-text.ts";

/** Lower-case hex SHA-256 of bytes, or of the UTF-8 bytes of a text; of a name that is not UTF-8, its own bytes. */
export function sha256Hex(content: Uint8Array | string): string {
  return createHash("sha256")
    .update(typeof content === "string" ? encodePath(content) : content)
    .digest("hex");
}
