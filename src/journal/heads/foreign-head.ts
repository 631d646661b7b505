import { isJsonObject, type Json } from "../../base/json.ts";
import { parseRepoPath } from "../../git/ids.ts";

const sha256 = /^([0-9a-f]{64})?$/;
const ownerKey = /^[sh]_[0-9a-f]{14}(::t_[0-9a-f]{14})?$/;
const kinds: readonly unknown[] = ["file", "symlink", "absent"];
const evidences: readonly unknown[] = ["edit", "shell", "save", "stated"];
const maxText = 1000;

/** True if a value that another machine wrote has the form of a head, with a path that stays inside of the repository. */
export function isForeignHead(value: unknown): boolean {
  const head = value as Json;
  if (!isJsonObject(head) || !isInside(head["path"])) return false;
  const states = [head["current"], ...listOf(head["earlier"])];
  return (
    states.every(isState) &&
    Array.isArray(head["earlier"]) &&
    Array.isArray(head["begun"]) &&
    head["begun"].length === 0 &&
    head["mark"] === null &&
    isTable(head["agents"], isAgent) &&
    isTable(head["humans"], isText) &&
    isTable(head["evidence"], (each) => evidences.includes(each)) &&
    isTable(head["counters"], isCounter) &&
    (head["produced"] === undefined ||
      isTable(head["produced"], (each) => typeof each === "string" && sha256.test(each)))
  );
}

function isInside(path: Json | undefined): boolean {
  if (typeof path !== "string") return false;
  try {
    return parseRepoPath(path) === path;
  } catch {
    return false; // it would leave the repository
  }
}

function isState(state: Json | undefined): boolean {
  if (!isJsonObject(state) || !kinds.includes(state["kind"])) return false;
  const { mode, digest, sizeBytes, runs } = state;
  return (
    isCount(mode) &&
    isCount(sizeBytes) &&
    typeof digest === "string" &&
    sha256.test(digest) &&
    listOf(runs).every(isRun)
  );
}

function isRun(run: Json): boolean {
  if (!Array.isArray(run) || run.length !== 2) return false;
  const [lines, owner] = run;
  return isCount(lines) && (owner === null || (typeof owner === "string" && ownerKey.test(owner)));
}

function isAgent(agent: Json): boolean {
  return isJsonObject(agent) && [agent["tool"], agent["id"], agent["model"]].every(isText);
}

function isCounter(counter: Json): boolean {
  return isJsonObject(counter) && isCount(counter["generated"]) && isCount(counter["overridden"]);
}

function isTable(table: Json | undefined, isEntry: (entry: Json) => boolean): boolean {
  return isJsonObject(table) && Object.values(table).every((entry) => entry !== undefined && isEntry(entry));
}

function isText(value: Json | undefined): boolean {
  return typeof value === "string" && value.length <= maxText;
}

function isCount(value: Json | undefined): boolean {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function listOf(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? value : [];
}
