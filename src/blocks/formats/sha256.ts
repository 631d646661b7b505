import { createHash, hash } from "node:crypto";

/** SHA-256 as 32 bytes. */
export function sha256Bytes(content: Uint8Array): Buffer {
  return Buffer.from(hash("sha256", content, "hex"), "hex");
}

/** SHA-256 of pieces as lower-case hex. */
export function startSha256(): { update(piece: Uint8Array): void; hex(): string } {
  const state = createHash("sha256");
  return { update: (piece) => void state.update(piece), hex: () => state.digest("hex") };
}
