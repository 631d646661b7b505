import { basename, join } from "node:path";
import { sha256Hex } from "../../base/digest.ts";
import type { Repository } from "../../git/repository.ts";
import { temporaryName } from "../../system/files/files.ts";
import {
  findDamagedHeads,
  listPathFolders,
  readPathHead,
  readPathHeads,
  readStateContent,
  writePathHead,
} from "../heads/head-files.ts";
import { applyEvent } from "../heads/path-head.ts";
import { type Epoch, journalFolder, listEpochs, logPath } from "../layout.ts";
import { type JournalDeps, withJournalLock } from "../log/journal.ts";
import { readEvents } from "../log/log.ts";
import { readWaiting } from "../log/waiting-files.ts";
import type { PathHead } from "../path-state.ts";

/** One thing wrong with a journal, and what `repairJournal` does about it. */
export interface JournalFinding {
  readonly kind: "damaged-line" | "damaged-head" | "missing-content" | "damaged-content" | "abandoned-file";
  /** The file or directory concerned. */
  readonly where: string;
  readonly what: string;
  /** Absent where nothing can be done. */
  readonly repair?: string;
}

/** Reads everything in a worktree's journal and checks it. Changes nothing. */
export function verifyJournal(deps: JournalDeps, repository: Repository): JournalFinding[] {
  const { files } = deps;
  const findings: JournalFinding[] = [];
  const epochs = listEpochs(repository, files);
  for (const epoch of epochs) findings.push(...verifyEpoch(deps, epoch));
  for (const { path, recording } of readWaiting(repository, files)) {
    if (recording !== undefined) continue;
    findings.push({
      kind: "damaged-line",
      where: path,
      what: "what waited here to be recorded cannot be read",
    });
  }
  for (const folder of [journalFolder(repository), ...epochs.map((epoch) => epoch.folder)]) {
    findings.push(...findAbandoned(deps, folder));
  }
  return findings;
}

function* verifyEpoch({ files }: JournalDeps, epoch: Epoch): Generator<JournalFinding> {
  for (const entry of readEvents(files, logPath(epoch))) {
    if (!("damaged" in entry)) continue;
    const what = `${entry.damaged} line at byte ${entry.offsetBytes}: this event is lost, the others are read`;
    yield {
      kind: "damaged-line",
      where: logPath(epoch),
      what,
      repair: "keyframe journal --prune drops the line",
    };
  }
  for (const folder of findDamagedHeads(files, epoch)) {
    const what = "the head fails its own check";
    yield { kind: "damaged-head", where: folder, what, repair: "made again from the log" };
  }
  for (const head of readPathHeads(files, epoch)) yield* verifyContents({ files }, epoch, head);
}

function* verifyContents(
  { files }: Pick<JournalDeps, "files">,
  epoch: Epoch,
  head: PathHead,
): Generator<JournalFinding> {
  for (const state of [head.current, ...head.earlier]) {
    if (state.kind === "absent" || state.unlined === "large") continue;
    const content = readStateContent(files, epoch, head, state);
    const where = join(epoch.folder, head.path);
    if (content === undefined) {
      yield {
        kind: "missing-content",
        where,
        what: `the content ${state.digest.slice(0, 12)} of ${head.path} is gone: its lines are nobody's`,
      };
    } else if (sha256Hex(content) !== state.digest) {
      yield {
        kind: "damaged-content",
        where,
        what: `the content ${state.digest.slice(0, 12)} of ${head.path} was changed`,
      };
    }
  }
}

function* findAbandoned({ files, processTable }: JournalDeps, folder: string): Generator<JournalFinding> {
  for (const { name } of files.listIfExists(folder) ?? []) {
    const writer = temporaryName.exec(name)?.[1];
    if (writer === undefined || processTable.identify(Number(writer)) !== undefined) continue;
    const what = `left by process ${writer}, which was killed`;
    yield { kind: "abandoned-file", where: join(folder, name), what, repair: "removed" };
  }
}

/** Repairs what can be: damaged heads are made again from the log, files of killed processes are removed. */
export function repairJournal(deps: JournalDeps, repository: Repository): number {
  return withJournalLock(deps, repository, () => {
    let repaired = 0;
    for (const epoch of listEpochs(repository, deps.files)) repaired += repairHeads(deps, epoch);
    for (const finding of verifyJournal(deps, repository)) {
      if (finding.kind !== "abandoned-file") continue;
      deps.files.remove(finding.where);
      repaired += 1;
    }
    return repaired;
  });
}

function repairHeads({ files }: JournalDeps, epoch: Epoch): number {
  const damaged = new Set([...findDamagedHeads(files, epoch)].map((folder) => basename(folder)));
  if (damaged.size === 0) return 0;
  for (const folder of listPathFolders(files, epoch))
    if (damaged.has(basename(folder))) files.remove(join(folder, "head.json"));
  const rebuilt = new Map<string, PathHead>();
  for (const event of readEvents(files, logPath(epoch))) {
    if ("damaged" in event || !damaged.has(sha256Hex(event.path).slice(0, 32))) continue;
    rebuilt.set(event.path, applyEvent(rebuilt.get(event.path), event));
  }
  for (const head of rebuilt.values())
    if (readPathHead(files, epoch, head.path) === undefined) writePathHead(files, epoch, head);
  return rebuilt.size;
}
