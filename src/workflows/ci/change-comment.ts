import { KeyframeError } from "../../base/errors.ts";
import { isJsonObject, type Json, type JsonObject, numberField, stringField } from "../../base/json.ts";
import type { HttpClient, HttpRequest } from "../../system/net/http.ts";
import type { ForgeApi } from "./pipeline.ts";

export interface CommentRequest {
  readonly api: ForgeApi;
  /** Of the pull or merge request. */
  readonly number: number;
  /** Markdown that begins with the mark. */
  readonly text: string;
  /** The beginning of every comment of ours. */
  readonly mark: string;
}

export type CommentOutcome =
  | { readonly kind: "created" | "updated" | "unchanged" }
  /** The token may not write: that of a fork's pull request only reads. */
  | { readonly kind: "not allowed"; readonly status: number };

/** A comment may hold 65,536 characters at GitHub; the rest of a longer one is left out. */
const maxCommentLength = 60_000;
const perPage = 100;
const maxPages = 30;
const maxAnswerBytes = 8 * 1024 * 1024;
const answerMs = 20_000;

/** Writes one comment at a pull or merge request, or writes the one that is there anew. @throws KeyframeError `remote-failed` */
export async function writeComment(client: HttpClient, request: CommentRequest): Promise<CommentOutcome> {
  const { api, mark } = request;
  const body = cutComment(request.text);
  const found = await findComment(client, request);
  if ("status" in found) return { kind: "not allowed", status: found.status };
  if (found.comment?.body === body) return { kind: "unchanged" };
  const id = found.comment?.id;
  const url = id === undefined ? commentsUrl(request) : commentUrl(request, id);
  const method = id === undefined ? "POST" : api.forge === "github" ? "PATCH" : "PUT";
  const { status } = await ask(client, api, {
    method,
    url,
    body: { body: body.startsWith(mark) ? body : `${mark}\n${body}` },
  });
  if (isRefused(status)) return { kind: "not allowed", status };
  if (status >= 300) throw failed(status);
  return { kind: id === undefined ? "created" : "updated" };
}

interface FoundComment {
  readonly id: number;
  readonly body: string;
}

/** The oldest comment that begins with the mark. */
async function findComment(
  client: HttpClient,
  request: CommentRequest,
): Promise<{ readonly comment?: FoundComment } | { readonly status: number }> {
  for (let page = 1; page <= maxPages; page += 1) {
    const order = request.api.forge === "github" ? "" : "&sort=asc&order_by=created_at";
    const url = `${commentsUrl(request)}?per_page=${perPage}&page=${page}${order}`;
    const { status, answer } = await ask(client, request.api, { method: "GET", url });
    if (isRefused(status)) return { status };
    if (status !== 200 || !Array.isArray(answer)) throw failed(status);
    const comments = answer.filter(isJsonObject).flatMap(commentOf);
    const comment = comments.find(({ body }) => body.startsWith(request.mark));
    if (comment !== undefined) return { comment };
    if (answer.length < perPage) return {};
  }
  return {};
}

function commentOf(entry: JsonObject): FoundComment[] {
  const id = numberField(entry, "id");
  const body = stringField(entry, "body");
  return id === undefined || body === undefined || !Number.isSafeInteger(id) ? [] : [{ id, body }];
}

function commentsUrl({ api, number }: CommentRequest): string {
  return api.forge === "github"
    ? `${api.url}/repos/${api.project}/issues/${number}/comments`
    : `${api.url}/projects/${encodeURIComponent(api.project)}/merge_requests/${number}/notes`;
}

function commentUrl(request: CommentRequest, id: number): string {
  const { api } = request;
  return api.forge === "github"
    ? `${api.url}/repos/${api.project}/issues/comments/${id}`
    : `${commentsUrl(request)}/${id}`;
}

async function ask(
  client: HttpClient,
  { headers }: ForgeApi,
  { method, url, body }: Pick<HttpRequest, "method" | "url"> & { readonly body?: object },
): Promise<{ readonly status: number; readonly answer: Json }> {
  const response = await client.request({
    method,
    url,
    headers: { ...headers, "user-agent": "keyframe", "content-type": "application/json" },
    ...(body === undefined ? {} : { body: Buffer.from(JSON.stringify(body)) }),
    signal: AbortSignal.timeout(answerMs),
  });
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of response.body) {
    size += piece.length;
    if (size > maxAnswerBytes) throw failed(response.status);
    pieces.push(piece);
  }
  return { status: response.status, answer: parseAnswer(Buffer.concat(pieces).toString("utf8")) };
}

function parseAnswer(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return null; // the status says what happened
  }
}

function cutComment(text: string): string {
  return text.length <= maxCommentLength ? text : `${text.slice(0, maxCommentLength)}\n\n(cut)\n`;
}

function isRefused(status: number): boolean {
  return status === 401 || status === 403 || status === 404;
}

function failed(status: number): KeyframeError {
  return new KeyframeError("remote-failed", `the service answered ${status} about comments`);
}
