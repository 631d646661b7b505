import type { GuestCommand } from "../../sandbox/guest/command.ts";
import type { CommandRequest } from "../../sandbox/guest/message.ts";
import type { SandboxRecord } from "../../sandbox/store/records.ts";
import type { ServerContext } from "../context/context.ts";
import { noteFailure } from "../context/note-failure.ts";
import { createEventStream, type EventStream } from "../requests/event-stream.ts";
import { streamAliveMs } from "../requests/limits.ts";
import type { ServerApp } from "../requests/request-env.ts";
import { jsonBody, linesAnswer, linesType, route, sandboxParam } from "./route.ts";
import { execEventSchema, execSchema } from "./schemas.ts";

/** Commands: one JSON line for each piece of output. A client that goes away ends its command. */
export function addExecRoute(app: ServerApp, server: ServerContext): void {
  const { sandboxContext, sandboxApi } = server;
  app.openapi(
    route({
      method: "post",
      path: "/v1/sandboxes/{sandbox}/exec",
      summary: "Run a command in a sandbox",
      tags: ["sandboxes"],
      request: { params: sandboxParam, body: jsonBody(execSchema) },
      responses: {
        200: linesAnswer(execEventSchema, "One JSON event a line; the last is `exit` or `error`"),
      },
    }),
    async (c) => {
      const { stdin, ...rest } = c.req.valid("json");
      const record = sandboxApi.findSandbox(sandboxContext, c.req.valid("param").sandbox);
      const request: CommandRequest = {
        ...(rest as CommandRequest),
        env: { ...record.env, ...rest.env },
      };
      const stream = await startExec(server, record, request, Buffer.from(stdin ?? "", "base64"));
      c.set("streams", true);
      return c.newResponse(stream.body, 200, { "content-type": linesType });
    },
  );
}

/** Resolves when the command has started, with what it prints; throws if it cannot be started. */
async function startExec(
  server: ServerContext,
  record: SandboxRecord,
  request: CommandRequest,
  stdin: Buffer,
): Promise<EventStream> {
  const { clock } = server.sandboxContext;
  const startedAtMs = clock.monotonicMs();
  const held = await server.sessions.hold(record);
  try {
    const command = held.guest.run(request);
    const pid = await command.started;
    command.stdin.end(stdin);
    const stream = createEventStream({ keepAlive: line({ type: "alive" }), everyMs: streamAliveMs });
    const cancel = () => command.cancel();
    stream.gone.addEventListener("abort", cancel, { once: true });
    server.stopping.addEventListener("abort", cancel, { once: true, signal: stream.over });
    void forward(server, command, stream, pid).finally(() => {
      server.metrics.execSeconds.observe((clock.monotonicMs() - startedAtMs) / 1000);
      stream.end();
      held.release();
    });
    return stream;
  } catch (error) {
    held.release();
    throw error;
  }
}

async function forward(
  server: ServerContext,
  command: GuestCommand,
  stream: EventStream,
  pid: number,
): Promise<void> {
  const output = async (from: AsyncIterable<Buffer>, type: "stdout" | "stderr") => {
    for await (const piece of from) await push(stream, { type, data: piece.toString("base64") });
  };
  try {
    await push(stream, { type: "started", pid });
    await Promise.all([output(command.stdout, "stdout"), output(command.stderr, "stderr")]);
    const exit = await command.exited;
    await push(stream, {
      type: "exit",
      code: exit.kind === "code" ? exit.code : null,
      signal: exit.kind === "signal" ? exit.signal : null,
      timedOut: exit.timedOut,
    });
  } catch (error) {
    const { status: _status, ...described } = noteFailure(server, "exec", error);
    await push(stream, { type: "error", error: described });
  }
}

/** A reader that has gone does not stop the loop: the command is being cancelled, and its output has to be read to its end. */
async function push(stream: EventStream, event: object): Promise<void> {
  await stream.push(line(event)).catch(() => undefined);
}

function line(event: object): Uint8Array {
  return Buffer.from(`${JSON.stringify(event)}\n`);
}
