import { createRoute, type RouteConfig, z } from "@hono/zod-openapi";
import { errorSchema } from "./schemas.ts";

// Pieces that the routes' definitions share.

/** What every route may answer beside its own. */
export const failures = {
  default: {
    description: "An error: its code is in docs/errors.md",
    content: { "application/json": { schema: errorSchema } },
  },
} as const;

/** A route that may answer with an error besides what it defines. */
export function route<P extends string, R extends Omit<RouteConfig, "path"> & { path: P }>(definition: R) {
  return createRoute<P, R & { responses: typeof failures }>({
    ...definition,
    responses: { ...definition.responses, ...failures },
  });
}

export function jsonAnswer<T extends z.ZodType>(schema: T, description: string) {
  return { description, content: { "application/json": { schema } } } as const;
}

/** A body that must be there. */
export function jsonBody<T extends z.ZodType>(schema: T) {
  return { required: true, content: { "application/json": { schema } } } as const;
}

/** A body that may be left out: all of its fields are optional. */
export function optionalJsonBody<T extends z.ZodType>(schema: T) {
  return { required: false, content: { "application/json": { schema } } } as const;
}

export const bytesAnswer = {
  description: "The bytes",
  content: { "application/octet-stream": { schema: z.string().openapi({ format: "binary" }) } },
} as const;

/** A stream of JSON events, one a line. */
export function linesAnswer(schema: z.ZodType, description: string) {
  // not as a literal: the framework's types take it for one document
  const type: string = linesType;
  return { description, content: { [type]: { schema } } };
}

export const linesType = "application/x-ndjson";

export const sandboxParam = z.object({
  sandbox: z.string().openapi({ param: { name: "sandbox", in: "path" }, description: "Id or name" }),
});

export const snapshotParam = z.object({
  snapshot: z.string().openapi({ param: { name: "snapshot", in: "path" }, description: "Id or name" }),
});

/** "true" and "false" of a query. */
export const queryFlag = z
  .enum(["true", "false"])
  .optional()
  .transform((text) => text === "true");
