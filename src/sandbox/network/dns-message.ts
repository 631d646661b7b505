// What a guest's resolver asks and hears (RFC 1035, section 4). One question each; answers are IPv4 addresses.
//
//   offset  size  field, big-endian
//   0       2     id, of the question and its answer
//   2       2     flags: bit 15 answer, bit 8 recursion desired, bit 7 recursion available, bits 0-3 result
//   4       2     questions (1)
//   6       6     answers, authorities, additional records
//   12      n     question: labels, each after its length, ended by a 0; type (2), class (2)

export interface DnsQuestion {
  /** Lower case, without a dot at the end. */
  readonly name: string;
  readonly wantsAddress: boolean;
}

export type DnsResult = "found" | "no such name" | "refused" | "failed";

const results: Readonly<Record<DnsResult, number>> = {
  found: 0,
  failed: 2,
  "no such name": 3,
  refused: 5,
};

const headerBytes = 12;
const typeAddress = 1;
const classInternet = 1;
/** Short: a rule may change with the next fork. */
const lifetimeSeconds = 30;
/** What every resolver takes in one datagram. */
const maxAnswers = 25;

/** Undefined for what is not one plain question. */
export function parseDnsQuestion(message: Buffer): DnsQuestion | undefined {
  if (message.length < headerBytes + 5 || message.readUInt16BE(4) !== 1) return undefined;
  if ((message.readUInt16BE(2) & 0xf800) !== 0) return undefined; // an answer, or another kind of request
  const end = endOfName(message);
  if (end === undefined) return undefined;
  const labels: string[] = [];
  for (let at = headerBytes; at < end - 1; at += 1 + message.readUInt8(at)) {
    labels.push(message.toString("latin1", at + 1, at + 1 + message.readUInt8(at)));
  }
  const [type, kind] = [message.readUInt16BE(end), message.readUInt16BE(end + 2)];
  return {
    name: labels.join(".").toLowerCase(),
    wantsAddress: type === typeAddress && kind === classInternet,
  };
}

/** The answer to a message that `parseDnsQuestion` has understood. */
export function encodeDnsAnswer(question: Buffer, result: DnsResult, addresses: readonly string[]): Buffer {
  const end = endOfName(question) ?? headerBytes;
  const answers = addresses.slice(0, maxAnswers);
  const head = Buffer.alloc(headerBytes);
  question.copy(head, 0, 0, 2);
  head.writeUInt16BE(0x8080 | (question.readUInt16BE(2) & 0x0100) | results[result], 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt16BE(answers.length, 6);
  return Buffer.concat([
    head,
    question.subarray(headerBytes, end + 4),
    ...answers.map((address) => {
      const record = Buffer.alloc(16);
      record.writeUInt16BE(0xc000 | headerBytes, 0); // the name of the question
      record.writeUInt16BE(typeAddress, 2);
      record.writeUInt16BE(classInternet, 4);
      record.writeUInt32BE(lifetimeSeconds, 6);
      record.writeUInt16BE(4, 10);
      record.set(address.split(".").map(Number), 12);
      return record;
    }),
  ]);
}

/** The offset after the 0 that ends the question's name, with a type and a class after it. */
function endOfName(message: Buffer): number | undefined {
  let at = headerBytes;
  while (at < message.length) {
    const length = message.readUInt8(at);
    at += 1 + length;
    if (length === 0) return at + 4 <= message.length ? at : undefined;
    if (length > 63) return undefined;
  }
  return undefined;
}
