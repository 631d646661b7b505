import type { ErrorCode } from "../../base/error-codes.ts";
import { KeyframeError } from "../../base/errors.ts";
import { describeHttpError } from "../requests/http-status.ts";

// The Connect protocol over HTTP/1.1 with JSON (connectrpc.com/docs/protocol). A stream is made of envelopes:
//
//   offset  size  field
//   0       1     2 for the last one, which is {} or {"error": ...}; else 0
//   1       4     length, big-endian
//   5       n     JSON

const envelopeHeadBytes = 5;
const lastFlag = 2;

export function encodeEnvelope(message: object, last = false): Uint8Array {
  const payload = Buffer.from(JSON.stringify(message));
  const envelope = Buffer.alloc(envelopeHeadBytes + payload.length);
  envelope.writeUInt8(last ? lastFlag : 0, 0);
  envelope.writeUInt32BE(payload.length, 1);
  payload.copy(envelope, envelopeHeadBytes);
  return envelope;
}

/** The one message that a request of a server stream is. */
export function parseEnvelope(body: Uint8Array): unknown {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  if (bytes.length < envelopeHeadBytes || bytes.readUInt32BE(1) !== bytes.length - envelopeHeadBytes) {
    throw new KeyframeError("invalid-input", "the request is not one Connect envelope");
  }
  if (bytes.readUInt8(0) !== 0) {
    throw new KeyframeError("unsupported", "compressed Connect messages are not supported");
  }
  return parseMessage(bytes.subarray(envelopeHeadBytes));
}

export function parseMessage(body: Uint8Array): unknown {
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString("utf8");
  try {
    return text === "" ? {} : JSON.parse(text);
  } catch (cause) {
    throw new KeyframeError("invalid-input", "the request is not JSON", { cause });
  }
}

export interface ConnectError {
  readonly code: string;
  readonly message: string;
}

const connectCodes: Readonly<Partial<Record<ErrorCode, string>>> = {
  usage: "invalid_argument",
  "invalid-input": "invalid_argument",
  "too-large": "invalid_argument",
  unauthorized: "unauthenticated",
  "foreign-origin": "permission_denied",
  "permission-denied": "permission_denied",
  "not-found": "not_found",
  "already-exists": "already_exists",
  refused: "failed_precondition",
  "in-use": "failed_precondition",
  unsupported: "unimplemented",
  "guest-gone": "unavailable",
  busy: "resource_exhausted",
  "lock-busy": "resource_exhausted",
  "disk-full": "resource_exhausted",
  "timed-out": "deadline_exceeded",
};

const connectStatuses: Readonly<Record<string, 400 | 401 | 403 | 404 | 409 | 429 | 500 | 501 | 502 | 504>> = {
  invalid_argument: 400,
  failed_precondition: 400,
  unauthenticated: 401,
  permission_denied: 403,
  not_found: 404,
  already_exists: 409,
  resource_exhausted: 429,
  unimplemented: 501,
  // what the package takes for "the sandbox is not running"
  unavailable: 502,
  deadline_exceeded: 504,
};

export function toConnectError(error: unknown): ConnectError {
  const { code, message } = describeHttpError(error);
  return { code: (code === "internal" ? undefined : connectCodes[code]) ?? "internal", message };
}

export function connectStatus(
  error: ConnectError,
): 400 | 401 | 403 | 404 | 409 | 429 | 500 | 501 | 502 | 504 {
  return connectStatuses[error.code] ?? 500;
}
