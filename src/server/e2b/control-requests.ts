import * as z from "zod";
import { KeyframeError } from "../../base/errors.ts";
import { readSmallBody } from "../requests/request-body.ts";
import type { RequestContext } from "../requests/request-env.ts";
import { parseMessage } from "./connect-protocol.ts";
import { guestText } from "./envd.ts";

// What clients ask of E2B's control plane.

const maxBodyBytes = 1024 * 1024;

/** What a sandbox gets if its client does not say; the package says 300. Seconds. */
export const defaultTimeoutS = 300;

/** Ten years: what the clock's arithmetic holds with room. */
const seconds = z.int().min(0).max(315_360_000);

export const newSandbox = z.object({
  templateID: z.string(),
  timeout: seconds.default(defaultTimeoutS),
  metadata: z.record(z.string(), z.string()).nullish(),
  envVars: z.record(guestText, guestText).nullish(),
  autoPause: z.boolean().default(false),
  autoPauseMemory: z.boolean().default(true),
  autoResume: z.object({ enabled: z.boolean() }).nullish(),
  allow_internet_access: z.boolean().nullish(),
  // the next three are what this server does not have: refused, never dropped in silence
  network: z.unknown().optional(),
  mcp: z.unknown().optional(),
  volumeMounts: z.unknown().optional(),
});
export const timeoutRequest = z.object({ timeout: seconds });
export const connectRequest = z.object({ timeout: seconds.optional(), memory: z.boolean().optional() });
export const pauseRequest = z.object({ memory: z.boolean().optional() });
export const refreshRequest = z.object({ duration: seconds.default(15) });
export const snapshotRequest = z.object({ name: z.string().optional() });
export const forkRequest = z.object({
  timeout: seconds.default(defaultTimeoutS),
  count: z.int().min(1).max(100).default(1),
});
export const listQuery = z.object({
  metadata: z.string().optional(),
  template: z.string().optional(),
  startedAfter: z.iso.datetime({ offset: true }).optional(),
  order: z.enum(["asc", "desc"]).default("desc"),
  limit: z.coerce.number().int().min(1).max(100).default(100),
  nextToken: z.string().optional(),
});
export const snapshotQuery = z.object({
  sandboxID: z.string().optional(),
  name: z.string().optional(),
  limit: z.coerce.number().int().min(1).max(100).default(100),
  nextToken: z.string().optional(),
});

/** `unsupported` for a wish that cannot be met: nothing is left out in silence. */
export function refuseWhatIsMissing(request: z.infer<typeof newSandbox>): void {
  const missing = [
    request.network === undefined || request.network === null ? "" : "network rules",
    request.mcp === undefined || request.mcp === null ? "" : "an MCP gateway",
    request.volumeMounts === undefined || request.volumeMounts === null ? "" : "volumes",
    request.autoResume?.enabled === true ? "waking by traffic" : "",
    request.autoPauseMemory ? "" : "pausing without memory",
  ].filter((text) => text !== "");
  if (missing.length > 0) {
    throw new KeyframeError("unsupported", `sandboxes here have no ${missing.join(", no ")}`);
  }
}

/** The JSON body of a request, an empty one being `{}`. */
export async function bodyOf<T>(c: RequestContext, schema: z.ZodType<T>): Promise<T> {
  return schema.parse(parseMessage(await readSmallBody(c.req.raw, maxBodyBytes)));
}
