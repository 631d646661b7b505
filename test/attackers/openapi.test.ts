import fc from "fast-check";
import { expect, test } from "vitest";
import { KeyframeError } from "../../src/base/errors.ts";
import { openTestServer, recordRunningSandbox, recordSnapshot } from "../support/test-server.ts";

// Requests that the interface's own description allows, nearly allows, and forbids, on every route that it describes: whatever
// comes, the answer is one that it describes, at once, and no fault of the server's.

/** KEYFRAME_API_REQUESTS: how many a route; a night's worth is some thousands. */
const requestsPerRoute = Number(process.env["KEYFRAME_API_REQUESTS"] ?? 5);
const origin = "http://127.0.0.1:7070";

interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly minimum?: number;
  readonly maximum?: number;
}
interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly schema?: Schema;
}
interface Operation {
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema?: Schema }>> };
  readonly responses: Readonly<Record<string, unknown>>;
}
interface Description {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components?: { readonly schemas?: Readonly<Record<string, Schema>> };
}

const hostileText = fc.constantFrom(
  "",
  "..",
  "../../etc/passwd",
  "/etc/passwd",
  "%00",
  "\u0000",
  "\u202e",
  "-rf",
  "$(id)",
  "a".repeat(5000),
  "__proto__",
  "sb-0123456789ab",
  "sn-0123456789ab",
  "1e999",
  "http://169.254.169.254/",
);
const text = fc.oneof(hostileText, fc.string({ unit: "binary", maxLength: 40 }));
const odd: fc.Arbitrary<unknown> = fc.oneof(
  text,
  fc.constantFrom(null, true, -1, 0, 1.5, 2 ** 53, 1e308, [], {}, [[[]]]),
  fc.jsonValue({ maxDepth: 2 }),
);

/** Values of a schema, and now and then of none. */
function valuesOf(description: Description, schema: Schema | undefined, depth = 0): fc.Arbitrary<unknown> {
  if (schema === undefined || depth > 6) return odd;
  return fc.oneof(
    { weight: 5, arbitrary: rightValues(description, schema, depth) },
    { weight: 1, arbitrary: odd },
  );
}

function rightValues(description: Description, schema: Schema, depth: number): fc.Arbitrary<unknown> {
  const inner = (next: Schema | undefined) => valuesOf(description, next, depth + 1);
  if (schema.$ref !== undefined)
    return inner(description.components?.schemas?.[schema.$ref.split("/").at(-1) ?? ""]);
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices !== undefined && choices.length > 0) return fc.oneof(...choices.map(inner));
  if (schema.allOf?.[0] !== undefined) return inner(schema.allOf[0]);
  if (schema.enum !== undefined && schema.enum.length > 0) return fc.constantFrom(...schema.enum);
  switch (Array.isArray(schema.type) ? schema.type[0] : schema.type) {
    case "object":
      return fc.record(
        Object.fromEntries(
          Object.entries(schema.properties ?? {}).map(([key, value]) => [key, inner(value)]),
        ),
        { requiredKeys: [] },
      );
    case "array":
      return fc.array(inner(schema.items), { maxLength: 4 });
    case "integer":
    case "number":
      return fc.oneof(
        fc.integer({
          min: schema.minimum ?? -10,
          max: Math.max(schema.minimum ?? -10, schema.maximum ?? 1000),
        }),
        fc.double(),
      );
    case "boolean":
      return fc.boolean();
    default:
      return text;
  }
}

interface Wanted {
  readonly path: string;
  readonly query: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

function requestsTo(description: Description, path: string, operation: Operation): fc.Arbitrary<Wanted> {
  const values = (place: string) =>
    fc.record(
      Object.fromEntries(
        (operation.parameters ?? [])
          .filter((parameter) => parameter.in === place)
          .map(({ name, schema }) => [name, valuesOf(description, schema)]),
      ),
      { requiredKeys: [] },
    );
  const [type, content] = Object.entries(operation.requestBody?.content ?? {})[0] ?? [];
  const body = fc.option(
    fc.oneof(
      { weight: 6, arbitrary: valuesOf(description, content?.schema).map((value) => JSON.stringify(value)) },
      { weight: 1, arbitrary: text },
    ),
    { nil: undefined },
  );
  return fc
    .record({ inPath: values("path"), inQuery: values("query"), body, typed: fc.boolean() })
    .map(({ inPath, inQuery, body, typed }) => ({
      path: path.replace(/\{(\w+)\}/g, (_, name: string) => {
        const known = name === "snapshot" ? "sn-0123456789ab" : "sb-0123456789ab";
        return encodeURIComponent(wellFormed(inPath[name] ?? known)) || known;
      }),
      query: Object.entries(inQuery)
        .map(([name, value]) => `${name}=${encodeURIComponent(wellFormed(value))}`)
        .join("&"),
      headers: typed || type === undefined ? { "content-type": type ?? "application/json" } : {},
      body: body ?? undefined,
    }));
}

function wellFormed(value: unknown): string {
  const said = typeof value === "string" ? value : (JSON.stringify(value) ?? "");
  return Buffer.from(said).toString("utf8");
}

/** What only a machine that does not run here can do wrong: the world of these tests has none. */
const needsMachine =
  /"code":"(?:hypervisor-failed|guest-failed|store-unavailable|unsupported)"|no machines here|no stores here/;

test("requests of the description, right and wrong, get answers of the description and are no fault of the server", async () => {
  const gone = () => Promise.reject(new KeyframeError("guest-gone", "no guests here"));
  const stores = { names: [], use: () => Promise.reject(new KeyframeError("not-found", "no stores here")) };
  const { app, sandboxContext, warnings } = openTestServer({ openGuestSession: gone }, { stores });
  const headers = { host: "127.0.0.1:7070" };
  const answer = await app.request(`${origin}/openapi.json`, { headers });
  const description = (await answer.json()) as Description;
  const routes = Object.entries(description.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  );
  expect(routes.length).toBeGreaterThan(20);
  const faults: string[] = [];
  for (const { path, method, operation } of routes) {
    for (const wanted of fc.sample(requestsTo(description, path, operation), {
      numRuns: requestsPerRoute,
      seed: 7,
    })) {
      recordRunningSandbox(sandboxContext);
      recordSnapshot(sandboxContext);
      warnings.length = 0;
      const hasBody = wanted.body !== undefined && method !== "GET" && method !== "HEAD";
      const said = await app.request(`${origin}${wanted.path}?${wanted.query}`, {
        method,
        headers: { ...headers, ...wanted.headers },
        ...(hasBody ? { body: wanted.body } : {}),
      });
      if (said.status < 400) {
        await said.body?.cancel();
        if (operation.responses[String(said.status)] === undefined)
          faults.push(`${method} ${path} answered ${said.status}, which is not described`);
        continue;
      }
      const reason = await said.text();
      const isJson = said.headers.get("content-type")?.includes("json") === true;
      const isGap = needsMachine.test(reason) || warnings.at(-1)?.includes("no machines here") === true;
      if (!isJson || (said.status >= 500 && !isGap))
        faults.push(
          `${said.status} ${method} ${wanted.path}?${wanted.query} ${wanted.body?.slice(0, 200)}: ${reason}`,
        );
    }
  }
  expect([...new Set(faults)].slice(0, 20)).toEqual([]);
});
