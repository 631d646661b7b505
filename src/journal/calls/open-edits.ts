import { join } from "node:path";
import type { AgentId } from "../../agents/agent-event.ts";
import { sha256Hex } from "../../base/digest.ts";
import type { Repository } from "../../git/repository.ts";
import type { Clock } from "../../system/clock.ts";
import type { Files } from "../../system/files/files.ts";
import { type ProcessIdentity, parseProcessIdentity } from "../../system/process/process-table.ts";
import { journalFolder } from "../layout.ts";

/** A call of an edit tool that has begun and not ended: its files were looked at. */
export interface OpenEdit {
  readonly agent: AgentId;
  readonly toolUseId: string;
  readonly toolName: string;
  readonly subagentId?: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** The agent's process: what a dead one left open can no longer change a file. */
  readonly agentProcess?: ProcessIdentity;
  readonly files: readonly {
    /** Absolute. */
    readonly path: string;
    /** SHA-256 of what the call leaves there, where its payload tells that. */
    readonly expected?: string;
  }[];
}

/** A call that never ended is forgotten after this. */
const maxEditAgeMs = 24 * 60 * 60 * 1000;

/** `<git dir>/keyframe/journal/edits/<call>.json`; a call whose end nobody reports is found by its record. */
export function writeOpenEdit(repository: Repository, files: Files, edit: OpenEdit): void {
  files.makeFolder(openEditsFolder(repository));
  files.replaceWithoutSync(editPath(repository, edit), Buffer.from(JSON.stringify(edit)), { mode: 0o600 });
}

export function removeOpenEdit(
  repository: Repository,
  files: Files,
  call: Pick<OpenEdit, "agent" | "toolUseId">,
): void {
  files.remove(editPath(repository, call));
}

/** All of the worktree; damaged and very old records are removed on the way. */
export function listOpenEdits(
  repository: Repository,
  { files, clock }: { readonly files: Files; readonly clock: Clock },
): OpenEdit[] {
  const folder = openEditsFolder(repository);
  return (files.listIfExists(folder) ?? []).flatMap(({ name }) => {
    if (!name.endsWith(".json")) return [];
    const path = join(folder, name);
    const edit = parseOpenEdit(files.readIfExists(path));
    const isKept = edit !== undefined && clock.nowMs() - edit.at <= maxEditAgeMs;
    if (!isKept) files.remove(path);
    return isKept ? [edit] : [];
  });
}

function openEditsFolder(repository: Repository): string {
  return join(journalFolder(repository), "edits");
}

function editPath(
  repository: Repository,
  { agent, toolUseId }: Pick<OpenEdit, "agent" | "toolUseId">,
): string {
  const id = sha256Hex(`${agent.tool}\0${agent.id}\0${toolUseId}`).slice(0, 32);
  return join(openEditsFolder(repository), `${id}.json`);
}

function parseOpenEdit(bytes: Buffer | undefined): OpenEdit | undefined {
  try {
    const value = JSON.parse(bytes?.toString("utf8") ?? "") as Partial<OpenEdit>;
    const isNamed = value.agent !== undefined && value.toolUseId !== undefined;
    const isEdit = isNamed && typeof value.at === "number" && Array.isArray(value.files);
    if (!isEdit) return undefined;
    const { agentProcess, ...edit } = value as OpenEdit;
    const process = parseProcessIdentity(agentProcess);
    return process === undefined ? edit : { ...edit, agentProcess: process };
  } catch {
    return undefined; // torn by a crash: nobody is credited
  }
}
