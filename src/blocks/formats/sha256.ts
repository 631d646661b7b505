import { hash } from "node:crypto";

/** SHA-256 as 32 bytes of their own: a slice of Node's pool would keep up to 64 KiB alive with each digest. */
export function sha256Bytes(content: Uint8Array): Buffer {
  const digest = Buffer.alloc(32);
  digest.write(hash("sha256", content, "hex"), "hex");
  return digest;
}
