import {
  isJsonObject,
  type Json,
  type JsonObject,
  numberField,
  objectField,
  stringField,
} from "../../base/json.ts";
import { isNullOid, isOid, type Oid } from "../../git/ids.ts";
import type { Forge } from "./pipeline.ts";

/** The pull or merge request that a pipeline runs for. */
export interface ChangeRequest {
  readonly forge: Forge;
  readonly number: number;
  /** A commit of the branch that it is to be merged into. */
  readonly base: Oid;
  /** Its last commit. */
  readonly head: Oid;
}

/** Undefined where the pipeline runs for something else. @param eventText the content of GITHUB_EVENT_PATH, where there is one */
export function readChangeRequest(
  env: NodeJS.ProcessEnv,
  eventText: string | undefined,
): ChangeRequest | undefined {
  if (env["GITHUB_ACTIONS"] === "true") return fromGithub(parseEvent(eventText));
  return env["GITLAB_CI"] === undefined ? undefined : fromGitlab(env);
}

function fromGithub(event: JsonObject): ChangeRequest | undefined {
  const change = objectField(event, "pull_request") ?? {};
  const shaOf = (side: string) => stringField(objectField(change, side) ?? {}, "sha");
  return changeRequest("github", numberField(change, "number"), { base: shaOf("base"), head: shaOf("head") });
}

function fromGitlab(env: NodeJS.ProcessEnv): ChangeRequest | undefined {
  // a pipeline of the merged result runs on a commit that is not the request's own
  const head = env["CI_MERGE_REQUEST_SOURCE_BRANCH_SHA"] || env["CI_COMMIT_SHA"];
  const number = Number(env["CI_MERGE_REQUEST_IID"]);
  return changeRequest("gitlab", number, { base: env["CI_MERGE_REQUEST_DIFF_BASE_SHA"], head });
}

function changeRequest(
  forge: Forge,
  number: number | undefined,
  { base, head }: { readonly base: string | undefined; readonly head: string | undefined },
): ChangeRequest | undefined {
  const isNumber = number !== undefined && Number.isSafeInteger(number) && number > 0;
  if (!isNumber || base === undefined || head === undefined) return undefined;
  if (!isOid(base) || !isOid(head) || isNullOid(base) || isNullOid(head)) return undefined;
  return { forge, number, base, head };
}

function parseEvent(text: string | undefined): JsonObject {
  try {
    const value = JSON.parse(text ?? "{}") as Json;
    return isJsonObject(value) ? value : {};
  } catch {
    return {}; // then it is not known what the pipeline is for
  }
}
