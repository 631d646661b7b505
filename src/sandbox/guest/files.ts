import { KeyframeError } from "../../base/errors.ts";
import type { GuestChannel } from "./channel.ts";
import type { GuestCommand } from "./command.ts";
import { type GuestFileInfo, parseFileInfos } from "./message.ts";
import { collectOutput } from "./output.ts";

/** Whose rights and home directory count; root's by default. */
export interface GuestFileOptions {
  readonly user?: string;
}

const maxOutputBytes = 16 * 1024 * 1024;

/** `not-found` if there is nothing. A symlink is described, not followed. */
export async function readGuestFileInfo(
  guest: GuestChannel,
  path: string,
  options: GuestFileOptions = {},
): Promise<GuestFileInfo> {
  return oneInfo(await manage(guest, ["info", path], options), path);
}

/** What a directory holds, down to `depth` levels (1: its own entries), each directory before what it holds. */
export async function listGuestFolder(
  guest: GuestChannel,
  path: string,
  options: GuestFileOptions & { readonly depth?: number } = {},
): Promise<GuestFileInfo[]> {
  return parseFileInfos(await manage(guest, ["list", path, String(options.depth ?? 1)], options));
}

/** With the directories above it; `already-exists` if it is there. */
export async function makeGuestFolder(
  guest: GuestChannel,
  path: string,
  options: GuestFileOptions = {},
): Promise<GuestFileInfo> {
  return oneInfo(await manage(guest, ["make", path], options), path);
}

/** Replaces a file at the target; the directories above the target are made. */
export async function moveGuestFile(
  guest: GuestChannel,
  paths: { readonly from: string; readonly to: string },
  options: GuestFileOptions = {},
): Promise<GuestFileInfo> {
  return oneInfo(await manage(guest, ["move", paths.from, paths.to], options), paths.to);
}

/** With all below it; absence is fine. */
export async function removeGuestFile(
  guest: GuestChannel,
  path: string,
  options: GuestFileOptions = {},
): Promise<void> {
  await manage(guest, ["remove", path], options);
}

/** Of the file system that holds the path. */
export async function readGuestSpace(
  guest: GuestChannel,
  path: string,
): Promise<{ readonly totalBytes: number; readonly freeBytes: number }> {
  const answer = await manage(guest, ["space", path], {});
  if (answer.length !== 16) throw new KeyframeError("guest-failed", "the guest did not tell its free space");
  return { totalBytes: Number(answer.readBigUInt64LE(0)), freeBytes: Number(answer.readBigUInt64LE(8)) };
}

async function manage(
  guest: GuestChannel,
  args: readonly string[],
  options: GuestFileOptions,
): Promise<Buffer> {
  const command = guest.manageFiles({
    arguments: args,
    ...(options.user === undefined ? {} : { user: options.user }),
  });
  return collectSmall(command, args.join(" "));
}

/** A small file of the image, whole; `too-large` beyond 16 MiB. */
export function collectFile(guest: GuestChannel, path: string): Promise<Buffer> {
  return collectSmall(guest.getFile(path), `read ${path}`);
}

function collectSmall(command: GuestCommand, what: string): Promise<Buffer> {
  return collectOutput(command, {
    what,
    maxBytes: maxOutputBytes,
    tooLarge: `the guest's reply is too large: ${what}`,
  });
}

function oneInfo(answer: Buffer, path: string): GuestFileInfo {
  const info = parseFileInfos(answer)[0];
  if (info === undefined) throw new KeyframeError("guest-failed", `the guest does not describe ${path}`);
  return info;
}
