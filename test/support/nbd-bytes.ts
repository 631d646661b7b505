/** The client's side of the protocol, written from the protocol document and not from the server's code. */
export function clientFlags(flags = 3): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(flags);
  return bytes;
}

export function option(code: number, data: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(16);
  head.write("IHAVEOPT", 0, "latin1");
  head.writeUInt32BE(code, 8);
  head.writeUInt32BE(data.length, 12);
  return Buffer.concat([head, data]);
}

export function infoData(name: string, wishes: readonly number[] = []): Buffer {
  const bytes = Buffer.alloc(4 + Buffer.byteLength(name) + 2 + 2 * wishes.length);
  bytes.writeUInt32BE(Buffer.byteLength(name), 0);
  bytes.write(name, 4);
  let at = 4 + Buffer.byteLength(name);
  bytes.writeUInt16BE(wishes.length, at);
  for (const wish of wishes) {
    at += 2;
    bytes.writeUInt16BE(wish, at);
  }
  return bytes;
}

export function metaContextData(name: string, queries: readonly string[]): Buffer {
  const text = (value: string) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(Buffer.byteLength(value));
    return Buffer.concat([length, Buffer.from(value)]);
  };
  const count = Buffer.alloc(4);
  count.writeUInt32BE(queries.length);
  return Buffer.concat([text(name), count, ...queries.map(text)]);
}

export interface ClientRequest {
  readonly command: number;
  readonly flags?: number;
  readonly cookie?: number;
  readonly offset?: number;
  readonly length?: number;
  readonly payload?: Buffer;
}

export function request(row: ClientRequest): Buffer {
  const bytes = Buffer.alloc(28);
  bytes.writeUInt32BE(0x25609513, 0);
  bytes.writeUInt16BE(row.flags ?? 0, 4);
  bytes.writeUInt16BE(row.command, 6);
  bytes.writeBigUInt64BE(BigInt(row.cookie ?? 1), 8);
  bytes.writeBigUInt64BE(BigInt(row.offset ?? 0), 16);
  bytes.writeUInt32BE(row.length ?? row.payload?.length ?? 0, 24);
  return row.payload === undefined ? bytes : Buffer.concat([bytes, row.payload]);
}

export interface OptionReply {
  readonly option: number;
  readonly type: number;
  readonly data: Buffer;
}

/** Option replies from `offset` on, until the bytes end. */
export function optionReplies(output: Buffer, offset = 18): OptionReply[] {
  const replies: OptionReply[] = [];
  let at = offset;
  while (at + 20 <= output.length && output.readBigUInt64BE(at) === 0x3e889045565a9n) {
    const length = output.readUInt32BE(at + 16);
    replies.push({
      option: output.readUInt32BE(at + 8),
      type: output.readUInt32BE(at + 12),
      data: output.subarray(at + 20, at + 20 + length),
    });
    at += 20 + length;
  }
  return replies;
}

export interface ServerReply {
  readonly cookie: number;
  /** 0 for success. */
  readonly error: number;
  /** -1 for a simple reply. */
  readonly type: number;
  readonly payload: Buffer;
}

/**
 * Replies from `offset` on. `readLengths` says how much data a simple reply to each cookie carries. Throws for bytes
 * that are no reply.
 */
export function serverReplies(
  output: Buffer,
  offset: number,
  readLengths: ReadonlyMap<number, number> = new Map(),
): ServerReply[] {
  const replies: ServerReply[] = [];
  let at = offset;
  while (at < output.length) {
    const magic = output.readUInt32BE(at);
    if (magic === 0x67446698) {
      const cookie = Number(output.readBigUInt64BE(at + 8));
      const error = output.readUInt32BE(at + 4);
      const length = error === 0 ? (readLengths.get(cookie) ?? 0) : 0;
      replies.push({ cookie, error, type: -1, payload: output.subarray(at + 16, at + 16 + length) });
      at += 16 + length;
    } else if (magic === 0x668e33ef) {
      const type = output.readUInt16BE(at + 6);
      const length = output.readUInt32BE(at + 16);
      const payload = output.subarray(at + 20, at + 20 + length);
      if (output.readUInt16BE(at + 4) !== 1) throw new Error("a chunk that is not the last");
      const error = type >= 0x8000 ? payload.readUInt32BE(0) : 0;
      replies.push({ cookie: Number(output.readBigUInt64BE(at + 8)), error, type, payload });
      at += 20 + length;
    } else throw new Error(`no reply at ${at}: ${output.subarray(at, at + 32).toString("hex")}`);
  }
  return replies;
}
