import { KeyframeError } from "../../base/errors.ts";
import { readLines } from "../../base/text/lines.ts";

/** What a QEMU monitor sends: one JSON object a line (QEMU's docs/interop/qmp-spec.txt). */
export type QmpMessage =
  | { readonly kind: "greeting" }
  | { readonly kind: "return"; readonly id: number | undefined; readonly value: unknown }
  | {
      readonly kind: "error";
      readonly id: number | undefined;
      readonly errorClass: string;
      readonly text: string;
    }
  | { readonly kind: "event"; readonly event: QmpEvent };

export interface QmpEvent {
  readonly name: string;
  readonly data: Readonly<Record<string, unknown>>;
  /** When QEMU sent it, milliseconds since 1970 with a fraction. */
  readonly atMs: number;
}

const maxMessageBytes = 16 * 1024 * 1024;

export function encodeQmpCommand(name: string, id: number, args?: object): string {
  return `${JSON.stringify(args === undefined ? { execute: name, id } : { execute: name, id, arguments: args })}\n`;
}

export interface QmpParser {
  /** Messages that are complete with this chunk, however the stream was cut. */
  push(chunk: Buffer): QmpMessage[];
}

export function createQmpParser(): QmpParser {
  let pending: Buffer = Buffer.alloc(0);
  return {
    push(chunk) {
      const bytes = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
      const end = bytes.lastIndexOf(0x0a) + 1;
      pending = Buffer.from(bytes.subarray(end));
      if (pending.length > maxMessageBytes) {
        throw new KeyframeError("too-large", `QEMU sent a message of more than ${maxMessageBytes} bytes`);
      }
      const messages: QmpMessage[] = [];
      for (const line of readLines([bytes.subarray(0, end)], maxMessageBytes)) {
        if ("oversized" in line) throw new KeyframeError("too-large", "QEMU sent an overlong message");
        const text = line.bytes.toString("utf8").trim();
        if (text !== "") messages.push(parseQmpMessage(text));
      }
      return messages;
    },
  };
}

/** `invalid-input` for anything that is not a monitor's message. */
export function parseQmpMessage(line: string): QmpMessage {
  const value = parseObject(line);
  const id = typeof value["id"] === "number" ? value["id"] : undefined;
  if ("QMP" in value) return { kind: "greeting" };
  if ("return" in value) return { kind: "return", id, value: value["return"] };
  if (isObject(value["error"])) {
    return {
      kind: "error",
      id,
      errorClass: String(value["error"]["class"]),
      text: String(value["error"]["desc"]),
    };
  }
  if (typeof value["event"] === "string") {
    const stamp = isObject(value["timestamp"]) ? value["timestamp"] : {};
    return {
      kind: "event",
      event: {
        name: value["event"],
        data: isObject(value["data"]) ? value["data"] : {},
        atMs: Number(stamp["seconds"] ?? 0) * 1000 + Number(stamp["microseconds"] ?? 0) / 1000,
      },
    };
  }
  throw new KeyframeError("invalid-input", `not a message of a QEMU monitor: ${line.slice(0, 200)}`);
}

function parseObject(line: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(line);
    if (isObject(value)) return value;
  } catch {
    // reported below, with the text
  }
  throw new KeyframeError("invalid-input", `not a message of a QEMU monitor: ${line.slice(0, 200)}`);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
