import { createHash, hash } from "node:crypto";

/** SHA-256 as 32 bytes of their own: a slice of Node's pool would keep up to 64 KiB alive with each digest. */
export function sha256Bytes(content: Uint8Array): Buffer {
  const digest = Buffer.alloc(32);
  digest.write(hash("sha256", content, "hex"), "hex");
  return digest;
}

/** SHA-256 of pieces as lower-case hex. */
export function startSha256(): { update(piece: Uint8Array): void; hex(): string } {
  const state = createHash("sha256");
  return { update: (piece) => void state.update(piece), hex: () => state.digest("hex") };
}
