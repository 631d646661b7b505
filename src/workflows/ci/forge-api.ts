import type { Json } from "../../base/json.ts";
import type { Oid } from "../../git/ids.ts";
import type { HttpClient } from "../../system/net/http.ts";
import { type ForgeApi, readToldChange, type ToldChange } from "./pipeline.ts";

const maxAnswerBytes = 4 * 1024 * 1024;
const answerMs = 20_000;

/**
 * Asks the service which change was merged as a commit. An answer that is not one (no rights, no such commit, no such
 * service) is undefined, and the reason is told: the refs and messages say most of it as well.
 */
export async function askForChange(
  client: HttpClient,
  api: ForgeApi,
  commit: Oid,
): Promise<{ readonly told?: ToldChange; readonly problem?: string }> {
  const path =
    api.forge === "github"
      ? `/repos/${api.project}/commits/${commit}/pulls`
      : `/projects/${encodeURIComponent(api.project)}/repository/commits/${commit}/merge_requests`;
  try {
    const response = await client.request({
      method: "GET",
      url: `${api.url}${path}`,
      headers: { ...api.headers, "user-agent": "keyframe" },
      signal: AbortSignal.timeout(answerMs),
    });
    if (response.status !== 200) {
      response.discard();
      return { problem: `the service answered ${response.status} about ${commit.slice(0, 12)}` };
    }
    const told = readToldChange(api.forge, JSON.parse(await readText(response.body)) as Json, commit);
    return told === undefined ? {} : { told };
  } catch (error) {
    return { problem: `the service could not be asked about ${commit.slice(0, 12)}: ${nameOf(error)}` };
  }
}

async function readText(body: AsyncIterable<Buffer>): Promise<string> {
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of body) {
    size += piece.length;
    if (size > maxAnswerBytes) throw new Error("the answer is too large");
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString("utf8");
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.message.slice(0, 200) : "unknown";
}
