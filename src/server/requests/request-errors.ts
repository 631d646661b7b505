import { HTTPException } from "hono/http-exception";
import * as z from "zod";
import { KeyframeError } from "../../base/errors.ts";

/** What a handler threw, as one of our errors where it is the request's fault. */
export function toRequestError(error: unknown): unknown {
  if (error instanceof HTTPException && error.status < 500) {
    return new KeyframeError(
      "invalid-input",
      error.message === "" ? "the request is malformed" : error.message,
    );
  }
  if (!(error instanceof z.ZodError)) return error;
  const issue = error.issues[0];
  const place = issue?.path.join(".") ?? "";
  return new KeyframeError("invalid-input", `${place === "" ? "the request" : place}: ${issue?.message}`);
}
