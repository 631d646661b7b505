import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { KeyframeError } from "../../base/errors.ts";
import { openDataFile } from "../../system/files/data-file.ts";
import type { Files } from "../../system/files/files.ts";
import type { GuestChannel } from "./channel.ts";
import { type GuestFileEntry, parseFileList } from "./message.ts";
import { collectOutput, mustSucceed } from "./output.ts";

export interface CopyResult {
  readonly fileCount: number;
  readonly sizeBytes: number;
  /** Links and special files: not copied. */
  readonly skipped: readonly string[];
}

const maxListBytes = 64 * 1024 * 1024;

/** Copies a file, or a folder with all below it, into the guest's image. Every file is complete or absent. */
export async function copyIn(
  files: Files,
  guest: GuestChannel,
  from: string,
  to: string,
): Promise<CopyResult> {
  const result = { fileCount: 0, sizeBytes: 0, skipped: [] as string[] };
  const visit = async (path: string, target: string): Promise<void> => {
    const stat = path === from ? files.statTargetIfExists(path) : files.statIfExists(path);
    if (stat === undefined) throw new KeyframeError("not-found", `there is no ${path}`);
    if (stat.kind === "folder") {
      for (const entry of files.listIfExists(path) ?? [])
        await visit(`${path}/${entry.name}`, `${target}/${entry.name}`);
    } else if (stat.kind === "file") {
      await writeGuestFile(guest, target, Readable.from(copiedChunks(files, path)), {
        mode: stat.mode,
      });
      result.fileCount += 1;
      result.sizeBytes += stat.sizeBytes;
    } else result.skipped.push(path);
  };
  await visit(from, to);
  return result;
}

/** Pieces of a file that stay valid: a stream reads ahead. */
function* copiedChunks(files: Files, path: string): Generator<Buffer> {
  for (const chunk of files.readChunks(path, { chunkBytes: 64 * 1024 })) yield Buffer.from(chunk);
}

/** Writes one file of the image from a stream. */
export async function writeGuestFile(
  guest: GuestChannel,
  path: string,
  content: Readable,
  options: { readonly mode?: number; readonly user?: string } = {},
): Promise<void> {
  const command = guest.putFile(path, options);
  command.stdout.resume();
  command.stderr.resume();
  const fed = pipeline(content, command.stdin);
  fed.catch(() => command.cancel()); // a source that fails must not leave a cut file
  await fed;
  await mustSucceed(command, `write ${path}`);
}

/** Copies a file or folder out of the guest's image. What the guest says about names is not trusted. */
export async function copyOut(
  files: Files,
  guest: GuestChannel,
  from: string,
  to: string,
): Promise<CopyResult> {
  const result = { fileCount: 0, sizeBytes: 0, skipped: [] as string[] };
  for (const entry of await listGuestFiles(guest, from)) {
    const source = entry.path === "" ? from : `${from}/${entry.path}`;
    const target = entry.path === "" ? to : `${to}/${safeRelativePath(entry.path)}`;
    if (entry.kind === "folder") files.makeFolder(target);
    else if (entry.kind === "file") {
      result.sizeBytes += await readGuestFile(files, guest, source, target);
      result.fileCount += 1;
    } else result.skipped.push(source);
  }
  return result;
}

export async function listGuestFiles(guest: GuestChannel, path: string): Promise<GuestFileEntry[]> {
  const output = await collectOutput(guest.listFiles(path), {
    what: `list ${path}`,
    maxBytes: maxListBytes,
    tooLarge: `${path} holds too many files to list`,
  });
  return parseFileList(output);
}

/** To a new file beside the target, then in its place; answers the size. */
async function readGuestFile(files: Files, guest: GuestChannel, from: string, to: string): Promise<number> {
  const temporary = `${to}.keyframe-part`;
  files.remove(temporary);
  const command = guest.getFile(from);
  command.stdin.end();
  command.stderr.resume();
  const target = openDataFile(temporary, "create");
  let size = 0;
  try {
    for await (const piece of command.stdout as AsyncIterable<Buffer>) {
      target.write(size, piece);
      size += piece.length;
    }
    await mustSucceed(command, `read ${from}`);
    files.rename(temporary, to);
    return size;
  } catch (error) {
    command.cancel();
    files.remove(temporary);
    throw error;
  } finally {
    target.close();
  }
}

/** A path below a folder, whoever wrote it. */
function safeRelativePath(path: string): string {
  const parts = path.split("/");
  if (!path.includes("\0") && parts.every((part) => part !== "" && part !== "." && part !== ".."))
    return path;
  throw new KeyframeError("refused", `the guest lists a file outside the folder: ${JSON.stringify(path)}`);
}
