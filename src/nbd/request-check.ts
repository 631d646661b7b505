import { maxRequestBytes } from "./limits.ts";
import { commandFlags, commands, errnos } from "./protocol.ts";
import type { Request } from "./transmission-codec.ts";

export interface RequestRules {
  readonly sizeBytes: number;
  readonly readOnly: boolean;
  /** base:allocation was negotiated. */
  readonly blockStatus: boolean;
}

const flagsOf: Readonly<Record<number, number>> = {
  [commands.read]: commandFlags.df | commandFlags.fua,
  [commands.write]: commandFlags.fua,
  [commands.flush]: commandFlags.fua,
  [commands.trim]: commandFlags.fua,
  [commands.cache]: commandFlags.fua,
  [commands.writeZeroes]: commandFlags.fua | commandFlags.noHole,
  [commands.blockStatus]: commandFlags.reqOne | commandFlags.fua,
};

const changing: ReadonlySet<number> = new Set([commands.write, commands.trim, commands.writeZeroes]);

/** The error that a request must get, or undefined for one that may be carried out. */
export function checkRequest(request: Request, rules: RequestRules): number | undefined {
  const { command, flags, offsetBytes, lengthBytes } = request;
  const allowedFlags = flagsOf[command];
  if (allowedFlags === undefined || (flags & ~allowedFlags) !== 0) return errnos.invalid;
  if (changing.has(command) && rules.readOnly) return errnos.permission;
  if (command === commands.flush) return offsetBytes === 0 && lengthBytes === 0 ? undefined : errnos.invalid;
  if (command === commands.blockStatus && !rules.blockStatus) return errnos.invalid;
  if (lengthBytes === 0) return command === commands.blockStatus ? errnos.invalid : undefined;
  const carriesData = command === commands.read || command === commands.write;
  if (carriesData && lengthBytes > maxRequestBytes) return errnos.overflow;
  const outside = offsetBytes + lengthBytes > rules.sizeBytes;
  if (outside) return changing.has(command) ? errnos.noSpace : errnos.invalid;
  return undefined;
}
