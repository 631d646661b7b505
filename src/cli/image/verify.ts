import { formatBytes } from "../../base/bytes.ts";
import { errorText, isKeyframeError } from "../../base/errors.ts";
import { listImages } from "../../blocks/images/list-images.ts";
import { findImage } from "../../blocks/images/read/read-image.ts";
import { verifyImage } from "../../blocks/images/verify-image.ts";
import type { CliContext } from "../command/context.ts";
import { exitCodes } from "../command/exit-codes.ts";
import { type ImageSession, type StoreFlags, withImages } from "./open/open-repository.ts";

interface VerifiedReport {
  readonly image: string;
  readonly frames: number;
  readonly storedBytes: number;
  readonly problems: readonly string[];
}

/** Checks every digest of the images that are named, or of all. */
export async function verifyStoredImage(
  this: CliContext,
  flags: StoreFlags,
  ...images: string[]
): Promise<void> {
  await withImages(this, flags, async (session) => {
    const verified = new Set<string>();
    const reports: VerifiedReport[] = [];
    const storeProblems: string[] = [];
    let names = images;
    if (names.length === 0) {
      const listing = await listImages(session.repository.store, session.signal);
      storeProblems.push(...listing.problems);
      names = listing.images.map(({ id }) => id);
    }
    for (const name of names) reports.push(await verifyOne(session, name, verified));
    const isSound = storeProblems.length === 0 && reports.every(({ problems }) => problems.length === 0);
    if (!isSound) this.process.exitCode = exitCodes.damaged;
    if (flags.json) return this.terminal.json({ isSound, images: reports, problems: storeProblems });
    for (const { image, frames, storedBytes, problems } of reports) {
      this.terminal.out(
        `${image}  ${problems.length === 0 ? "sound" : "damaged"}  ${frames} frames, ${formatBytes(storedBytes)}`,
      );
      for (const problem of problems) this.terminal.out(`  ${problem}`);
    }
    for (const problem of storeProblems) this.terminal.out(problem);
  });
}

async function verifyOne(
  session: ImageSession,
  name: string,
  verified: Set<string>,
): Promise<VerifiedReport> {
  const { repository, signal, progress } = session;
  const bar = progress(`verify ${name.slice(0, 16)}`, "bytes");
  try {
    const { id, manifest } = await findImage(repository.store, name, signal);
    const { frames, storedBytes, problems } = await verifyImage(repository, manifest, {
      signal,
      verified,
      onProgress: (done, total) => bar.update(done, total),
    });
    return { image: id, frames, storedBytes, problems };
  } catch (error) {
    if (!isKeyframeError(error, "damaged")) throw error;
    return { image: name, frames: 0, storedBytes: 0, problems: [errorText(error)] };
  } finally {
    bar.finish();
  }
}
