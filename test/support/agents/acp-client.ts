import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { createInterface } from "node:readline";

interface Message {
  readonly id?: number | string;
  readonly method?: string;
  readonly params?: Readonly<Record<string, unknown>>;
  readonly result?: unknown;
  readonly error?: unknown;
}

/** An editor as far as the Agent Client Protocol knows one: serves files, and permits what it is asked. */
export class AcpClient {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<
    number,
    { resolve: (result: unknown) => void; reject: (error: Error) => void }
  >();
  readonly #ended: Promise<number | null>;
  #next = 0;
  #errors = "";

  constructor(
    words: readonly string[],
    { cwd, env }: { readonly cwd: string; readonly env: NodeJS.ProcessEnv },
  ) {
    const [program = "", ...args] = words;
    this.#child = spawn(program, args, { cwd, env, stdio: ["pipe", "pipe", "pipe"] });
    this.#child.stderr?.setEncoding("utf8").on("data", (piece: string) => {
      this.#errors += piece;
    });
    this.#ended = new Promise((resolve) => this.#child.once("exit", (code) => resolve(code)));
    if (this.#child.stdout !== null)
      createInterface({ input: this.#child.stdout }).on("line", (line) => this.#take(line));
    this.#child.once("exit", (code) => {
      for (const { reject } of this.#waiting.values())
        reject(new Error(`the agent ended with ${code}: ${this.#errors.slice(-2000)}`));
    });
  }

  /** A conversation of one prompt, from the handshake on; returns the session's id. */
  async converse(prompt: string, cwd: string): Promise<string> {
    await this.#call("initialize", {
      protocolVersion: 1,
      clientCapabilities: { fs: { readTextFile: true, writeTextFile: true }, terminal: false },
      clientInfo: { name: "test", version: "1" },
    });
    const { sessionId } = (await this.#call("session/new", { cwd, mcpServers: [] })) as { sessionId: string };
    await this.#call("session/prompt", { sessionId, prompt: [{ type: "text", text: prompt }] });
    return sessionId;
  }

  /** Closes the agent's input and waits for its end, which it is asked for after a while. */
  async close(): Promise<void> {
    this.#child.stdin?.end();
    const timer = setTimeout(() => this.#child.kill("SIGTERM"), 3000);
    await this.#ended;
    clearTimeout(timer);
  }

  #call(method: string, params: object): Promise<unknown> {
    this.#next += 1;
    const id = this.#next;
    this.#send({ id, method, params });
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }

  #send(message: object): void {
    this.#child.stdin?.write(`${JSON.stringify({ jsonrpc: "2.0", ...message })}\n`);
  }

  #take(line: string): void {
    let message: Message;
    try {
      message = JSON.parse(line) as Message;
    } catch {
      return; // a line of the agent's log
    }
    const { id, method, params = {} } = message;
    if (method === undefined) {
      const waiting = this.#waiting.get(Number(id));
      if (message.error === undefined) waiting?.resolve(message.result);
      else waiting?.reject(new Error(JSON.stringify(message.error)));
    } else if (id !== undefined) this.#send({ id, ...serve(method, params) });
  }
}

function serve(method: string, params: Readonly<Record<string, unknown>>): object {
  const path = String(params["path"]);
  if (method === "fs/read_text_file") {
    try {
      return { result: { content: readFileSync(path, "utf8") } };
    } catch {
      return { error: { code: -32002, message: `Resource not found: ${path}` } };
    }
  }
  if (method === "fs/write_text_file") {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, String(params["content"]));
    return { result: {} };
  }
  if (method === "session/request_permission") {
    const options = params["options"] as { optionId: string; kind: string }[];
    const optionId = options.find(({ kind }) => kind === "allow_once")?.optionId ?? options[0]?.optionId;
    return { result: { outcome: { outcome: "selected", optionId } } };
  }
  return { error: { code: -32601, message: `no method ${method}` } };
}
