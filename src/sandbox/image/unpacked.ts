import type { SandboxContext } from "../store/home.ts";
import { outputOf } from "./run-tool.ts";

/** What packs a tar, by the bytes that it begins with. */
const packings: readonly { readonly magic: Buffer; readonly program: string }[] = [
  { magic: Buffer.from([0x1f, 0x8b]), program: "gzip" },
  { magic: Buffer.from([0x28, 0xb5, 0x2f, 0xfd]), program: "zstd" },
  { magic: Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a]), program: "xz" },
  { magic: Buffer.from("BZh"), program: "bzip2" },
];

/** The bytes of a file that may be packed. What the file is called, or is said to be, does not count. */
export function unpacked(context: SandboxContext, path: string): AsyncIterable<Buffer> {
  const head = firstBytes(context, path);
  const packing = packings.find(({ magic }) => head.subarray(0, magic.length).equals(magic));
  return packing === undefined
    ? wholeFile(context, path)
    : outputOf(context, packing.program, ["-dc", "--", path]);
}

function firstBytes(context: SandboxContext, path: string): Buffer {
  for (const piece of context.files.readChunks(path, { chunkBytes: 16 })) return Buffer.from(piece);
  return Buffer.alloc(0);
}

async function* wholeFile(context: SandboxContext, path: string): AsyncGenerator<Buffer> {
  // copied: what reads ahead keeps a piece while the next is read
  for (const piece of context.files.readChunks(path, { chunkBytes: 256 * 1024 })) yield Buffer.from(piece);
}
