import { dirname, join } from "node:path";
import type { AgentEvent, AgentId } from "../../agents/agent-event.ts";
import { locatePath } from "../../authorship/edits/locate-path.ts";
import { sha256Hex } from "../../base/digest.ts";
import { isJsonObject, type Json, jsonField } from "../../base/json.ts";
import { findRepository, type Repository } from "../../git/repository.ts";
import type { TrustDeps } from "../../git/repository-trust.ts";
import { isSwitchedOff, isSwitchedOn } from "../../state/switch.ts";
import type { Clock } from "../../system/clock.ts";
import type { Files } from "../../system/files/files.ts";
import { updateSessionState } from "./directory.ts";
import type { SessionDeps } from "./events.ts";

/** A session is bound to so many repositories beside the one it was started in. */
const maxGuests = 8;
const maxRecordBytes = 64 * 1024;
const forgottenAfterMs = 30 * 24 * 60 * 60 * 1000;

interface GuestDeps extends TrustDeps {
  readonly files: Files;
  readonly clock: Pick<Clock, "nowMs">;
}

/**
 * The repositories that an edit is in and that are not the one the agent works in: those where Keyframe is enabled. What
 * happens in others is nobody's business here.
 */
export function guestsOfEdit(event: AgentEvent, home: Repository | undefined, deps: TrustDeps): Repository[] {
  if (event.kind !== "before-edit" && event.kind !== "after-edit") return [];
  const guests = new Map<string, Repository>();
  for (const path of event.paths) {
    const located = locatePath(path, event.cwd, deps);
    if (located.kind !== "inside" || located.repository.commonDir === home?.commonDir) continue;
    if (isTracked(located.repository, deps.files)) guests.set(located.repository.gitDir, located.repository);
  }
  return [...guests.values()].slice(0, maxGuests);
}

function isTracked(repository: Repository, files: Files): boolean {
  return (
    repository.workTree !== undefined && isSwitchedOn(repository, files) && !isSwitchedOff(repository, files)
  );
}

/** Where this machine notes which repositories a session works in; it belongs to none of them. */
export interface GuestBook {
  /** `keyframe/sessions` below the user's state directory. */
  readonly directory: string;
}

export function openGuestBook(env: NodeJS.ProcessEnv, userHome: string): GuestBook {
  const state = env["XDG_STATE_HOME"] || join(userHome, ".local", "state");
  return { directory: join(state, "keyframe", "sessions") };
}

/** Notes that a session works in a repository. False where it works in too many already. */
export function bindGuest(book: GuestBook, deps: GuestDeps, agent: AgentId, guest: Repository): boolean {
  const { files } = deps;
  const known = readWorkTrees(book, files, agent);
  const { workTree } = guest;
  if (workTree === undefined || known.includes(workTree)) return workTree !== undefined;
  if (known.length >= maxGuests) return false;
  forgetOld(book, deps);
  const path = recordPath(book, agent);
  files.makeFolder(dirname(path), { mode: 0o700 });
  const record = { version: 1, repositories: [...known, workTree] };
  files.replaceWithoutSync(path, Buffer.from(`${JSON.stringify(record)}\n`), { mode: 0o600 });
  return true;
}

/** The repositories that a session is bound to and that are still tracked. */
export function guestsOfSession(book: GuestBook, deps: TrustDeps, agent: AgentId): Repository[] {
  return readWorkTrees(book, deps.files, agent).flatMap((workTree) => {
    const found = findRepository(workTree, deps);
    return found !== undefined && isTracked(found, deps.files) ? [found] : [];
  });
}

export function forgetGuests(book: GuestBook, { files }: Pick<GuestDeps, "files">, agent: AgentId): void {
  files.remove(recordPath(book, agent));
}

/** Tokens of a conversation count where it was started, and once. */
export function markStartedElsewhere(
  deps: SessionDeps,
  { guest, home, id }: { readonly guest: Repository; readonly home: Repository; readonly id: string },
): void {
  updateSessionState(deps, { repository: guest, id }, (state) =>
    state?.set("started_in", home.workTree ?? home.gitDir),
  );
}

function readWorkTrees(book: GuestBook, files: Files, agent: AgentId): string[] {
  const path = recordPath(book, agent);
  const stat = files.statIfExists(path);
  if (stat?.kind !== "file" || stat.sizeBytes > maxRecordBytes) return [];
  const document = parse(files.readIfExists(path)?.toString("utf8") ?? "");
  const repositories = isJsonObject(document) ? jsonField(document, "repositories") : undefined;
  if (!Array.isArray(repositories)) return [];
  return repositories
    .filter((workTree) => typeof workTree === "string" && workTree.startsWith("/"))
    .slice(0, maxGuests);
}

function parse(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined; // torn or foreign: the next edit binds anew
  }
}

function recordPath({ directory }: GuestBook, { tool, id }: AgentId): string {
  return join(directory, `${sha256Hex(`${tool}\0${id}`).slice(0, 32)}.json`);
}

/** Sessions that never said that they ended. */
function forgetOld({ directory }: GuestBook, { files, clock }: GuestDeps): void {
  for (const { name } of files.listIfExists(directory) ?? []) {
    const path = join(directory, name);
    const writtenMs = files.statIfExists(path)?.mtimeMs ?? clock.nowMs();
    if (clock.nowMs() - writtenMs > forgottenAfterMs) files.remove(path);
  }
}
