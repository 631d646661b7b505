import { isJsonObject, type Json, type JsonObject, objectField, stringField } from "../../base/json.ts";
import { isNullOid, isOid, type Oid } from "../../git/ids.ts";

/** A service that hosts the repository and runs pipelines. */
export type Forge = "github" | "gitlab";

/** What a pipeline was started for, as far as its environment tells. */
export interface Pipeline {
  readonly forge: Forge | undefined;
  /**
   * `push`: commits arrived on a branch of the repository itself. `change-request`: a pull or merge request, whose code
   * may be a stranger's: nothing is written for it. `run`: somebody or a timetable started it on a branch. `unknown`:
   * what started it may be anybody's.
   */
  readonly kind: "push" | "run" | "change-request" | "unknown";
  /** As the service calls what started it; undefined outside of a pipeline. */
  readonly event: string | undefined;
  /** The branch tip before the push; undefined for a new branch, and where nobody tells. */
  readonly before: Oid | undefined;
  readonly after: Oid | undefined;
  readonly api: ForgeApi | undefined;
}

/** How the service answers questions about changes. The token never leaves a header. */
export interface ForgeApi {
  readonly forge: Forge;
  /** Without a slash at the end. */
  readonly url: string;
  /** `owner/name`, or GitLab's number of the project. */
  readonly project: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** @param eventText the content of GITHUB_EVENT_PATH, where there is one */
export function readPipeline(env: NodeJS.ProcessEnv, eventText: string | undefined): Pipeline {
  if (env["GITHUB_ACTIONS"] === "true") return readGithub(env, parseEvent(eventText));
  if (env["GITLAB_CI"] !== undefined) return readGitlab(env);
  return {
    forge: undefined,
    kind: "run",
    event: undefined,
    before: undefined,
    after: undefined,
    api: undefined,
  };
}

function readGithub(env: NodeJS.ProcessEnv, event: JsonObject): Pipeline {
  const name = env["GITHUB_EVENT_NAME"] ?? "";
  const token = env["GITHUB_TOKEN"] ?? "";
  const project = env["GITHUB_REPOSITORY"] ?? "";
  const isPush = name === "push";
  return {
    forge: "github",
    kind: isPush ? "push" : kindOfGithubEvent(name),
    event: name,
    before: isPush ? oidOf(stringField(event, "before")) : undefined,
    after: oidOf(stringField(event, "after")) ?? oidOf(env["GITHUB_SHA"]),
    api:
      token === "" || project === ""
        ? undefined
        : {
            forge: "github",
            url: (env["GITHUB_API_URL"] ?? "https://api.github.com").replace(/\/$/, ""),
            project,
            headers: { authorization: `Bearer ${token}`, accept: "application/vnd.github+json" },
          },
  };
}

function kindOfGithubEvent(name: string): Pipeline["kind"] {
  // a queue builds commits that may never land
  if (/^pull_request|^merge_group$/.test(name)) return "change-request";
  return name === "workflow_dispatch" || name === "schedule" ? "run" : "unknown";
}

function readGitlab(env: NodeJS.ProcessEnv): Pipeline {
  const isRequest =
    env["CI_PIPELINE_SOURCE"] === "merge_request_event" || env["CI_MERGE_REQUEST_IID"] !== undefined;
  const url = env["CI_API_V4_URL"];
  const project = env["CI_PROJECT_ID"];
  const token = env["KEYFRAME_TOKEN"] ?? env["GITLAB_TOKEN"];
  const headers: Record<string, string> =
    token === undefined ? { "job-token": env["CI_JOB_TOKEN"] ?? "" } : { "private-token": token };
  return {
    forge: "gitlab",
    // without a branch it is a tag's
    kind: isRequest ? "change-request" : env["CI_COMMIT_BRANCH"] === undefined ? "unknown" : "push",
    event: env["CI_PIPELINE_SOURCE"],
    before: oidOf(env["CI_COMMIT_BEFORE_SHA"]),
    after: oidOf(env["CI_COMMIT_SHA"]),
    api:
      url === undefined || project === undefined
        ? undefined
        : { forge: "gitlab", url: url.replace(/\/$/, ""), project, headers },
  };
}

function parseEvent(text: string | undefined): JsonObject {
  try {
    const value = JSON.parse(text ?? "{}") as Json;
    return isJsonObject(value) ? value : {};
  } catch {
    return {}; // the environment says the rest
  }
}

function oidOf(text: string | undefined): Oid | undefined {
  return text !== undefined && isOid(text) && !isNullOid(text) ? text : undefined;
}

/** Where a service keeps the last commit of a change, also after its branch is gone. */
export function changeRef(forge: Forge, change: number): string {
  return forge === "github" ? `refs/pull/${change}/head` : `refs/merge-requests/${change}/head`;
}

/** Beginnings and the end of the names of such refs. */
export const changeRefPattern = /^refs\/(pull|merge-requests)\/([1-9]\d{0,9})\/head$/;

/**
 * The change that a commit's message names as its own: what the services themselves write when they merge. A number in
 * the middle of a text names something else.
 */
export function changeOfMessage(message: string): number | undefined {
  const subject = message.split("\n")[0] ?? "";
  const squash =
    /\(#([1-9]\d{0,9})\)\s*$/.exec(subject) ?? /^Merge pull request #([1-9]\d{0,9}) /.exec(subject);
  const gitlab = /^See merge request [\w./-]*!([1-9]\d{0,9})\s*$/m.exec(message);
  const found = squash?.[1] ?? gitlab?.[1];
  return found === undefined ? undefined : Number(found);
}

/** The change of an answer of the service's API about one commit; `head` is the last commit of its branch. */
export interface ToldChange {
  readonly change: number;
  readonly head: Oid | undefined;
}

/** Of the changes that the service names for a commit, the one that was merged as it. Pure. */
export function readToldChange(forge: Forge, answer: Json, commit: Oid): ToldChange | undefined {
  if (!Array.isArray(answer)) return undefined;
  const changes = answer.filter(isJsonObject).map((entry) => describeTold(forge, entry, commit));
  const [exact] = changes.filter(({ isExact }) => isExact);
  const merged = changes.filter(({ isMerged }) => isMerged);
  const told = exact ?? (merged.length === 1 ? merged[0] : undefined);
  return told === undefined || !Number.isSafeInteger(told.change) || told.change < 1
    ? undefined
    : { change: told.change, head: told.head };
}

function describeTold(forge: Forge, entry: JsonObject, commit: Oid) {
  const number = entry[forge === "github" ? "number" : "iid"];
  const made = ["merge_commit_sha", "squash_commit_sha"].map((name) => stringField(entry, name));
  const head = objectField(entry, "head");
  return {
    change: typeof number === "number" ? number : 0,
    head: oidOf(forge === "github" ? head && stringField(head, "sha") : stringField(entry, "sha")),
    isExact: made.includes(commit),
    isMerged: stringField(entry, "merged_at") !== undefined || stringField(entry, "state") === "merged",
  };
}
