import { join } from "node:path";
import type { Files } from "../../system/files/files.ts";
import { type ImageRecord, readImageRecord } from "./records.ts";

export function listSandboxImages(files: Files, folder: string): ImageRecord[] {
  return (files.listIfExists(folder) ?? []).flatMap((entry) =>
    entry.name.endsWith(".json") ? (readImageRecord(files, join(folder, entry.name)) ?? []) : [],
  );
}
