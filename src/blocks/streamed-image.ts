export interface ByteRange {
  readonly offsetBytes: number;
  readonly lengthBytes: number;
}
export interface ImageExtent extends ByteRange {
  readonly kind: "data" | "zero";
}
/** Where the bytes of an immutable image come from. Bytes are verified before they are yielded. */
export interface StreamedImage {
  readonly sizeBytes: number;
  readonly blockSizeBytes: number;
  /** Yields exactly the bytes of the range in order, in pieces whose end is block-aligned (or the end of the range); throws on an early end of stream; pieces are owned by the consumer until the next is taken. */
  stream(range: ByteRange, signal: AbortSignal): AsyncIterable<Buffer>;
  /** Runs that cover the range in order, without I/O. */
  extents(range: ByteRange): Iterable<ImageExtent>;
  close(): Promise<void>;
}
