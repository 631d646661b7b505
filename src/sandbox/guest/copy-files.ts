import { once } from "node:events";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { isKeyframeError, KeyframeError } from "../../base/errors.ts";
import { tarPadding } from "../../base/ustar.ts";
import { openDataFile } from "../../system/files/data-file.ts";
import type { FileStat, Files } from "../../system/files/files.ts";
import { diskBytes, maxImageEntries } from "../limits.ts";
import { readTar, type TarMember } from "../tar/read-tar.ts";
import { encodeTarEntry, nameOfText, tarEnd, textOfName } from "../tar/tar-entry.ts";
import type { GuestChannel } from "./channel.ts";
import type { GuestCommand } from "./command.ts";
import { mustSucceed } from "./output.ts";

export interface CopyResult {
  readonly fileCount: number;
  readonly sizeBytes: number;
  /** Links and special files: not copied. */
  readonly skipped: readonly string[];
}

interface Counts {
  fileCount: number;
  sizeBytes: number;
  readonly skipped: string[];
}

/**
 * Copies a file, or a directory with all below it, into the guest's image, as one stream. Where nothing was, the whole
 * appears at once; elsewhere every file is complete, or what it was.
 */
export async function copyIn(
  files: Files,
  guest: GuestChannel,
  from: string,
  to: string,
): Promise<CopyResult> {
  const stat = files.statTargetIfExists(from);
  if (stat === undefined) throw new KeyframeError("not-found", `there is no ${from}`);
  const counts: Counts = { fileCount: 0, sizeBytes: 0, skipped: [] };
  const command = guest.manageFiles({ arguments: ["unpack", to] });
  command.stdout.resume();
  command.stderr.resume();
  try {
    for (const piece of packed(files, from, stat, counts)) {
      if (!command.stdin.write(piece)) await once(command.stdin, "drain");
    }
  } catch (error) {
    // the guest finds the stream cut off, and puts away what it has; ended by force it could not
    command.stdin.end();
    await command.exited.catch(() => undefined);
    throw error;
  }
  command.stdin.end();
  await mustSucceed(command, `write ${to}`);
  return counts;
}

function* packed(files: Files, from: string, stat: FileStat, counts: Counts): Generator<Buffer> {
  const waiting: { readonly path: string; readonly name: string; readonly stat: FileStat }[] = [
    { path: from, name: ".", stat },
  ];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { path, name } = next;
    if (next.stat.kind === "folder") {
      yield header(name, "folder", next.stat);
      for (const entry of (files.listIfExists(path) ?? []).reverse()) {
        const inside = files.statIfExists(`${path}/${entry.name}`);
        if (inside !== undefined)
          waiting.push({ path: `${path}/${entry.name}`, name: `${name}/${entry.name}`, stat: inside });
      }
    } else if (next.stat.kind === "file") {
      yield header(name, "file", next.stat);
      yield* contentOf(files, path, next.stat.sizeBytes);
      counts.fileCount += 1;
      counts.sizeBytes += next.stat.sizeBytes;
    } else counts.skipped.push(path);
  }
  yield tarEnd;
}

function header(name: string, kind: "file" | "folder", stat: FileStat): Buffer {
  return encodeTarEntry({
    path: nameOfText(name),
    kind,
    mode: stat.mode,
    userId: 0,
    groupId: 0,
    sizeBytes: kind === "file" ? stat.sizeBytes : 0,
    modifiedAtS: stat.mtimeMs / 1000,
    linkTarget: "",
    major: 0,
    minor: 0,
  });
}

/** As many bytes as were announced; a file that changes its size meanwhile is an error. */
function* contentOf(files: Files, path: string, sizeBytes: number): Generator<Buffer> {
  let left = sizeBytes;
  // copied: a stream reads ahead
  for (const piece of files.readChunks(path, { chunkBytes: 64 * 1024 })) {
    left -= piece.length;
    if (left < 0) break;
    yield Buffer.from(piece);
  }
  if (left !== 0) {
    throw new KeyframeError("invalid-input", `${path} changed while it was copied`, {
      hint: "run the command again when nothing writes there",
    });
  }
  yield Buffer.alloc(tarPadding(sizeBytes));
}

async function feed(command: GuestCommand, content: Readable): Promise<void> {
  command.stdout.resume();
  command.stderr.resume();
  const fed = pipeline(content, command.stdin);
  fed.catch(() => command.cancel()); // a source that fails must not leave a cut file
  await fed;
}

/** Writes one file of the image from a stream. */
export async function writeGuestFile(
  guest: GuestChannel,
  path: string,
  content: Readable,
  options: { readonly mode?: number; readonly user?: string } = {},
): Promise<void> {
  const command = guest.putFile(path, options);
  await feed(command, content);
  await mustSucceed(command, `write ${path}`);
}

const limits = { maxEntries: maxImageEntries, maxContentBytes: diskBytes.most };

/**
 * Copies a file or directory out of the guest's image, as one stream into a directory of its own beside the target; only what
 * is whole moves in. What the guest says about names is not trusted, and no link of either side is followed.
 */
export async function copyOut(
  files: Files,
  guest: GuestChannel,
  from: string,
  to: string,
): Promise<CopyResult> {
  const counts: Counts = { fileCount: 0, sizeBytes: 0, skipped: [] };
  const staging = `${to.replace(/\/+$/, "")}.keyframe-part`;
  files.removeTree(staging);
  const command = guest.manageFiles({ arguments: ["pack", from] });
  command.stdin.end();
  command.stderr.resume();
  try {
    for await (const member of readTar(command.stdout as AsyncIterable<Buffer>, limits))
      await takeMember(files, member, { staging, from, counts });
    await mustSucceed(command, `read ${from}`);
    const isNew = files.statIfExists(to) === undefined;
    moveIn(files, staging, to);
    if (isNew && files.statIfExists(to)?.kind === "folder") files.setMode(to, folderMode);
    return counts;
  } catch (error) {
    command.cancel();
    throw (await refusalOf(command, error)) ?? error;
  } finally {
    files.removeTree(staging);
  }
}

/** Why the guest has broken off, where it has. */
async function refusalOf(command: GuestCommand, error: unknown): Promise<unknown> {
  if (!isKeyframeError(error, "damaged")) return undefined;
  return command.exited.then(
    () => undefined,
    (reason: unknown) => reason,
  );
}

async function takeMember(
  files: Files,
  { entry, content }: Pick<TarMember, "entry" | "content">,
  place: { readonly staging: string; readonly from: string; readonly counts: Counts },
): Promise<void> {
  const { staging, from, counts } = place;
  const name = safeRelativePath(textOfName(entry.path));
  const target = name === "" ? staging : `${staging}/${name}`;
  if (entry.kind === "folder") {
    // the outermost is private while it is filled
    files.makeFolder(target, { mode: name === "" ? 0o700 : (entry.mode & 0o777) | 0o700 });
  } else if (entry.kind === "file") {
    const file = openDataFile(target, "create");
    try {
      let at = 0;
      for await (const piece of content()) {
        file.write(at, piece);
        at += piece.length;
      }
    } finally {
      file.close();
    }
    files.setMode(target, entry.mode & 0o777);
    counts.fileCount += 1;
    counts.sizeBytes += entry.sizeBytes;
  } else counts.skipped.push(name === "" ? from : `${from}/${name}`);
}

/** What is there already stays where nothing of the copy takes its place. */
function moveIn(files: Files, staged: string, target: string): void {
  const [from, to] = [files.statIfExists(staged), files.statIfExists(target)];
  if (from === undefined) return; // nothing but links
  if (from.kind === "folder" && to?.kind === "folder") {
    for (const { name } of files.listIfExists(staged) ?? [])
      moveIn(files, `${staged}/${name}`, `${target}/${name}`);
    return;
  }
  if (to !== undefined && (from.kind === "folder") !== (to.kind === "folder")) {
    throw new KeyframeError("already-exists", `${target} is in the way of the copy`);
  }
  files.rename(staged, target);
}

const folderMode = 0o755;

/** A path below a directory, whoever wrote it; empty for the directory itself. */
function safeRelativePath(path: string): string {
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  if (!path.startsWith("/") && !parts.includes("..")) return parts.join("/");
  throw new KeyframeError(
    "refused",
    `the guest names a file outside of the directory: ${JSON.stringify(path)}`,
  );
}
