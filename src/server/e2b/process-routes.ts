import * as z from "zod";
import { KeyframeError } from "../../base/errors.ts";
import type { SandboxRecord } from "../../sandbox/store/records.ts";
import type { ServerContext } from "../context/context.ts";
import { noteFailure } from "../context/note-failure.ts";
import { createEventStream, type EventStream } from "../requests/event-stream.ts";
import { readSmallBody } from "../requests/request-body.ts";
import type { RequestContext, ServerApp } from "../requests/request-env.ts";
import { toRequestError } from "../requests/request-errors.ts";
import { encodeEnvelope, parseEnvelope, parseMessage, toConnectError } from "./connect-protocol.ts";
import { guestText, sandboxOfRequest, userOfRequest } from "./envd.ts";
import { createGuestProcessTable, encodeStart, type ProcessSelector } from "./processes.ts";

const maxMessageBytes = 4 * 1024 * 1024;

const selector = z
  .union([z.object({ pid: z.int().nonnegative() }), z.object({ tag: z.string() })])
  .transform((value): ProcessSelector => value);
const size = z.object({
  cols: z.int().min(1).max(65535),
  rows: z.int().min(1).max(65535),
});
const base64 = z.base64();

const startRequest = z.object({
  process: z.object({
    cmd: guestText,
    args: z.array(guestText).default([]),
    envs: z.record(guestText, guestText).default({}),
    cwd: guestText.optional(),
  }),
  pty: z.object({ size: size.default({ cols: 80, rows: 24 }) }).optional(),
  tag: z.string().max(1024).optional(),
  /** Absent means open, as older packages expect. */
  stdin: z.boolean().default(true),
});
const selectRequest = z.object({ process: selector });
const inputRequest = selectRequest.extend({
  input: z.union([z.object({ stdin: base64 }), z.object({ pty: base64 })]),
});
const updateRequest = selectRequest.extend({ pty: z.object({ size }).optional() });
const signals = { SIGNAL_SIGTERM: 15, SIGNAL_SIGKILL: 9 } as const;
const signalRequest = selectRequest.extend({ signal: z.enum(["SIGNAL_SIGTERM", "SIGNAL_SIGKILL"]) });

/** `process.Process` of E2B's program in the sandbox: commands and terminals. */
export function addProcessRoutes(app: ServerApp, server: ServerContext): void {
  const table = createGuestProcessTable(server);

  const unary = <T>(
    method: string,
    schema: z.ZodType<T>,
    answer: (record: SandboxRecord, request: T) => object | Promise<object>,
  ) =>
    app.post(`/process.Process/${method}`, async (c) => {
      const message = schema.parse(parseMessage(await readSmallBody(c.req.raw, maxMessageBytes)));
      return c.json(await answer(sandboxOfRequest(server, c.req), message));
    });

  app.post("/process.Process/Start", (c) =>
    answerStream(server, c, async (stream) => {
      const message = startRequest.parse(parseEnvelope(await readSmallBody(c.req.raw, maxMessageBytes)));
      const record = sandboxOfRequest(server, c.req);
      const { cmd, args, envs, cwd } = message.process;
      const timeoutMs = requestedTimeoutMs(c);
      const process = await table.start(record, {
        config: { cmd, args, envs, ...(cwd === undefined ? {} : { cwd }) },
        request: {
          argv: [cmd, ...args],
          env: { ...record.env, ...envs },
          ...(cwd === undefined || cwd === "" ? {} : { cwd }),
          ...(message.pty === undefined
            ? {}
            : { terminal: { rows: message.pty.size.rows, columns: message.pty.size.cols } }),
          ...(timeoutMs === undefined ? {} : { timeoutMs }),
          ...userOfRequest(c.req),
        },
        tag: message.tag,
        stream,
      });
      if (!message.stdin && !process.isTerminal) process.command.stdin.end();
    }),
  );

  app.post("/process.Process/Connect", (c) =>
    answerStream(server, c, async (stream) => {
      const message = selectRequest.parse(parseEnvelope(await readSmallBody(c.req.raw, maxMessageBytes)));
      const process = table.find(sandboxOfRequest(server, c.req), message.process);
      // its first event; what the command prints comes behind it
      void stream.push(encodeStart(process.pid)).catch(() => undefined); // it has gone
      process.attach(stream);
    }),
  );

  unary("List", z.object({}), (record) => ({
    processes: table.list(record).map(({ pid, tag, config }) => ({
      pid,
      ...(tag === undefined ? {} : { tag }),
      config,
    })),
  }));

  unary("SendInput", inputRequest, async (record, { process, input }) => {
    const { stdin } = table.find(record, process).command;
    if (stdin.writableEnded) throw new KeyframeError("refused", "the command's input is closed");
    const bytes = Buffer.from("stdin" in input ? input.stdin : input.pty, "base64");
    await new Promise<void>((resolve, reject) => {
      stdin.write(bytes, (error) => (error ? reject(error) : resolve()));
    });
    return {};
  });

  unary("CloseStdin", selectRequest, (record, { process }) => {
    table.find(record, process).command.stdin.end();
    return {};
  });

  unary("Update", updateRequest, (record, { process, pty }) => {
    const found = table.find(record, process);
    if (pty !== undefined) found.command.resize({ rows: pty.size.rows, columns: pty.size.cols });
    return {};
  });

  unary("SendSignal", signalRequest, (record, { process, signal }) => {
    const { command } = table.find(record, process);
    // with its descendants, wherever they have put themselves
    if (signal === "SIGNAL_SIGKILL") command.cancel();
    else command.signal(signals[signal]);
    return {};
  });
}

/** A stream of envelopes. Errors before its first event are its last envelope, with status 200: the protocol's way. */
function answerStream(
  server: ServerContext,
  c: RequestContext,
  begin: (stream: EventStream) => Promise<void>,
): Response {
  const seconds = Number(c.req.header("keepalive-ping-interval") ?? 50);
  const stream = createEventStream({
    keepAlive: encodeEnvelope({ event: { keepalive: {} } }),
    everyMs: Math.min(Math.max(Number.isFinite(seconds) ? seconds : 50, 1), 3_600) * 1000,
  });
  const fail = (thrown: unknown) => {
    const error = toRequestError(thrown);
    noteFailure(server, c.req.path, error);
    stream.push(encodeEnvelope({ error: toConnectError(error) }, true)).catch(() => undefined); // it has gone
    stream.end();
  };
  begin(stream).catch(fail);
  server.stopping.addEventListener(
    "abort",
    () => fail(new KeyframeError("guest-gone", "the server is stopping")),
    { once: true, signal: stream.over },
  );
  c.set("streams", true);
  return c.body(stream.body, 200, { "content-type": "application/connect+json" });
}

function requestedTimeoutMs(c: RequestContext): number | undefined {
  const value = Number(c.req.header("connect-timeout-ms"));
  return Number.isSafeInteger(value) && value > 0 ? Math.min(value, 0xffff_ffff) : undefined;
}
