import { KeyframeError } from "../base/errors.ts";
import { mustSucceed } from "./copy-files.ts";
import type { GuestChannel } from "./guest-channel.ts";
import type { GuestCommand } from "./guest-command.ts";
import { type GuestFileInfo, parseFileInfos } from "./guest-message.ts";

/** Whose rights and home folder count; root's by default. */
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

/** What a folder holds, down to `depth` levels (1: its own entries), each folder before what it holds. */
export async function listGuestFolder(
  guest: GuestChannel,
  path: string,
  options: GuestFileOptions & { readonly depth?: number } = {},
): Promise<GuestFileInfo[]> {
  return parseFileInfos(await manage(guest, ["list", path, String(options.depth ?? 1)], options));
}

/** With the folders above it; `already-exists` if it is there. */
export async function makeGuestFolder(
  guest: GuestChannel,
  path: string,
  options: GuestFileOptions = {},
): Promise<GuestFileInfo> {
  return oneInfo(await manage(guest, ["make", path], options), path);
}

/** Replaces a file at the target; the folders above the target are made. */
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
  return collectOutput(command, args.join(" "));
}

/** A small file of the image, whole; `too-large` beyond 16 MiB. */
export function collectFile(guest: GuestChannel, path: string): Promise<Buffer> {
  return collectOutput(guest.getFile(path), `read ${path}`);
}

async function collectOutput(command: GuestCommand, what: string): Promise<Buffer> {
  command.stdin.end();
  command.stderr.resume();
  const pieces: Buffer[] = [];
  let total = 0;
  for await (const piece of command.stdout as AsyncIterable<Buffer>) {
    total += piece.length;
    if (total > maxOutputBytes) {
      command.cancel();
      throw new KeyframeError("too-large", `the guest answers more than can be taken: ${what}`);
    }
    pieces.push(piece);
  }
  await mustSucceed(command, what);
  return Buffer.concat(pieces);
}

function oneInfo(answer: Buffer, path: string): GuestFileInfo {
  const info = parseFileInfos(answer)[0];
  if (info === undefined) throw new KeyframeError("guest-failed", `the guest does not describe ${path}`);
  return info;
}
