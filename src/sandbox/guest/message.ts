// Payloads that hold several values are fields: tag (1 byte), length (4 bytes, little-endian), bytes. A tag may repeat.

export interface CommandRequest {
  /** Program and arguments; the program is looked up in PATH of the environment. */
  readonly argv: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Absolute path in the image; the user's home directory by default. */
  readonly cwd?: string;
  /** A terminal of this size instead of three pipes. */
  readonly terminal?: { readonly rows: number; readonly columns: number };
  /** The whole tree of processes is killed after this. */
  readonly timeoutMs?: number;
  /** Name or number from the image's /etc/passwd; root by default. */
  readonly user?: string;
  /** Goes on when the host goes away; by default it is killed then. */
  readonly keep?: boolean;
  /** How many processes and threads it and its descendants may be at once; 4096 by default. */
  readonly maxProcesses?: number;
}

const commandTags = {
  argv: 1,
  env: 2,
  cwd: 3,
  terminal: 4,
  timeoutMs: 5,
  user: 6,
  mode: 7,
  keep: 8,
  maxProcesses: 9,
} as const;

export function encodeCommandRequest(request: CommandRequest): Buffer {
  const fields: [number, Uint8Array | string][] = request.argv.map((part) => [commandTags.argv, part]);
  for (const [name, value] of Object.entries(request.env ?? {})) {
    fields.push([commandTags.env, `${name}=${value}`]);
  }
  if (request.cwd !== undefined) fields.push([commandTags.cwd, request.cwd]);
  if (request.terminal !== undefined)
    fields.push([commandTags.terminal, encodeTerminalSize(request.terminal)]);
  if (request.timeoutMs !== undefined) fields.push([commandTags.timeoutMs, uint32(request.timeoutMs)]);
  if (request.user !== undefined) fields.push([commandTags.user, request.user]);
  if (request.keep === true) fields.push([commandTags.keep, ""]);
  if (request.maxProcesses !== undefined)
    fields.push([commandTags.maxProcesses, uint32(request.maxProcesses)]);
  return encodeFields(fields);
}

export interface FileRequest {
  /** A path; for `files` a verb and its arguments. What is not absolute is below the user's home directory. */
  readonly arguments: readonly string[];
  /** Permission bits, for put. */
  readonly mode?: number;
  /** As of a command. */
  readonly user?: string;
}

/** For put, get and files. */
export function encodeFileRequest(request: FileRequest): Buffer {
  const fields: [number, Uint8Array | string][] = request.arguments.map((part) => [commandTags.argv, part]);
  fields.push([commandTags.mode, uint32(request.mode ?? 0o644)]);
  if (request.user !== undefined) fields.push([commandTags.user, request.user]);
  return encodeFields(fields);
}

export function encodeTerminalSize(size: { readonly rows: number; readonly columns: number }): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt16LE(size.rows, 0);
  bytes.writeUInt16LE(size.columns, 2);
  return bytes;
}

/** What must differ between two copies of one guest, and the time. Absent fields are left as they are. */
export interface GuestIdentity {
  /** Mixed into the kernel's generator, which is then rekeyed. */
  readonly seed: Uint8Array;
  readonly unixTimeMs: number;
  readonly hostName?: string;
  /** 32 hex digits. */
  readonly machineId?: string;
  /** A UUID. */
  readonly bootId?: string;
  /** Whether connections to other addresses are passed to the host, or there is no network at all. */
  readonly network?: boolean;
}

export function encodeIdentity(identity: GuestIdentity): Buffer {
  const time = Buffer.alloc(16);
  time.writeBigUInt64LE(BigInt(Math.floor(identity.unixTimeMs / 1000)), 0);
  time.writeBigUInt64LE(BigInt(Math.floor((identity.unixTimeMs % 1000) * 1e6)), 8);
  const fields: [number, Uint8Array | string][] = [
    [1, identity.seed],
    [2, time],
  ];
  if (identity.hostName !== undefined) fields.push([3, identity.hostName]);
  if (identity.machineId !== undefined) fields.push([4, identity.machineId]);
  if (identity.bootId !== undefined) fields.push([5, identity.bootId]);
  if (identity.network !== undefined) fields.push([6, Uint8Array.of(identity.network ? 1 : 0)]);
  return encodeFields(fields);
}

/** A TCP port of the guest. */
export function encodeConnectRequest(port: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(port);
  return bytes;
}

/** Where a program in the guest wants to connect to. */
export interface GuestDial {
  /** Dotted. */
  readonly address: string;
  readonly port: number;
}

/** IPv4 address (4 bytes, in its written order), port (2 bytes). */
export function parseGuestDial(payload: Buffer): GuestDial {
  return { address: payload.subarray(0, 4).join("."), port: payload.readUInt16LE(4) };
}

export type CommandExit =
  | { readonly kind: "code"; readonly code: number; readonly timedOut: boolean }
  | { readonly kind: "signal"; readonly signal: number; readonly timedOut: boolean };

/** As a shell gives it: 128 and the number for a signal, 124 for a timeout. */
export function exitCodeFor(exit: CommandExit): number {
  if (exit.timedOut) return 124;
  return exit.kind === "signal" ? 128 + exit.signal : exit.code;
}

/** kind (1 byte), timed out (1 byte), exit code or signal number (4 bytes). */
export function parseCommandExit(payload: Buffer): CommandExit {
  const timedOut = payload.readUInt8(1) === 1;
  const value = payload.readUInt32LE(2);
  return payload.readUInt8(0) === 1
    ? { kind: "signal", signal: value, timedOut }
    : { kind: "code", code: value, timedOut };
}

/** errno (4 bytes), then "<stage>: <text>". */
export function parseCommandFailure(payload: Buffer): { readonly errno: number; readonly text: string } {
  return { errno: payload.readUInt32LE(0), text: payload.toString("utf8", 4) };
}

export type GuestFileKind = "file" | "folder" | "symlink" | "other";

const entryKinds: Readonly<Record<string, GuestFileKind>> = {
  f: "file",
  d: "folder",
  l: "symlink",
  o: "other",
};

/** A file as `files` describes it. What a guest says is not trusted: it may be anything that has this form. */
export interface GuestFileInfo {
  readonly kind: GuestFileKind;
  readonly mode: number;
  readonly sizeBytes: number;
  readonly modifiedAtMs: number;
  readonly owner: string;
  readonly group: string;
  /** Of a symlink, else empty. */
  readonly linkTarget: string;
  /** Absolute. */
  readonly path: string;
}

/** The output of `files`: five texts for each entry. */
export function parseFileInfos(output: Buffer): GuestFileInfo[] {
  const texts = parseTexts(output);
  const infos: GuestFileInfo[] = [];
  for (let index = 0; index + 4 < texts.length; index += 5) {
    const [facts = "", owner = "", group = "", linkTarget = "", path = ""] = texts.slice(index, index + 5);
    const [kind = "o", mode = "0", size = "0", seconds = "0"] = facts.split(" ");
    infos.push({
      kind: entryKinds[kind] ?? "other",
      mode: Number.parseInt(mode, 8),
      sizeBytes: Number(size),
      modifiedAtMs: Number(seconds) * 1000,
      owner,
      group,
      linkTarget,
      path,
    });
  }
  return infos;
}

/** Texts, each behind its length (4 bytes). */
function parseTexts(output: Buffer): string[] {
  const texts: string[] = [];
  for (let at = 0; at + 4 <= output.length; ) {
    const size = output.readUInt32LE(at);
    texts.push(output.toString("utf8", at + 4, at + 4 + size));
    at += 4 + size;
  }
  return texts;
}

function encodeFields(fields: readonly (readonly [number, Uint8Array | string])[]): Buffer {
  return Buffer.concat(
    fields.flatMap(([tag, value]) => {
      const bytes = typeof value === "string" ? Buffer.from(value) : value;
      const head = Buffer.alloc(5);
      head.writeUInt8(tag, 0);
      head.writeUInt32LE(bytes.length, 1);
      return [head, bytes];
    }),
  );
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value, 0);
  return bytes;
}
