import { type DescribedError, describeHttpError } from "../requests/http-status.ts";
import type { ServerContext } from "./context.ts";

/** Counts a failure and says how callers see it. The text of a defect goes to the server's own log. */
export function noteFailure(server: ServerContext, what: string, error: unknown): DescribedError {
  const described = describeHttpError(error);
  server.metrics.countError(described.code);
  if (described.code === "internal") {
    server.sandboxContext.warn(`${what}: ${error instanceof Error ? error.stack : String(error)}`);
  }
  return described;
}
