// Covers src/lsp/**: the messages of the protocol, over streams, against a real repository.
import { PassThrough } from "node:stream";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import {
  createConnection,
  createProtocolConnection,
  type ProtocolConnection,
  StreamMessageReader,
  StreamMessageWriter,
} from "vscode-languageserver/node";
import { openCheckpointStores } from "../../src/checkpoints/stores/open-stores.ts";
import { openGit } from "../../src/git/git.ts";
import { changedByProgram, serveEditor } from "../../src/lsp/serve-editor.ts";
import { nodeMachine } from "../../src/system/machine/machine.ts";
import { type AuthorshipRepo, agentB, makeAuthorshipRepo } from "../support/authorship-repo.ts";

let repo: AuthorshipRepo;
let client: ProtocolConnection;

beforeEach(() => {
  repo = makeAuthorshipRepo();
  repo.write("a.txt", "one", "two");
  repo.git("add", "-A");
  repo.git("commit", "-q", "-m", "start");
  const [toServer, toClient] = [new PassThrough(), new PassThrough()];
  const connection = createConnection(new StreamMessageReader(toServer), new StreamMessageWriter(toClient));
  serveEditor(connection, {
    machine: nodeMachine,
    version: "1",
    everywhere: true,
    openContext: (repository) => {
      const git = openGit(repository, nodeMachine.processes);
      return { git, stores: openCheckpointStores(git), files: nodeMachine.files };
    },
    settle: async () => undefined,
  });
  client = createProtocolConnection(new StreamMessageReader(toClient), new StreamMessageWriter(toServer));
  client.listen();
});
afterEach(() => {
  client.dispose();
  repo.remove();
});

const uriOf = (path: string) => pathToFileURL(repo.path(path)).href;

async function open(path: string, text: string): Promise<void> {
  await client.sendRequest("initialize", {
    processId: null,
    rootUri: null,
    capabilities: {},
    clientInfo: { name: "test", version: "2" },
  });
  await client.sendNotification("textDocument/didOpen", {
    textDocument: { uri: uriOf(path), languageId: "text", version: 1, text },
  });
  await hover(path, 0);
}

async function change(path: string, text: string): Promise<void> {
  await client.sendNotification("textDocument/didChange", {
    textDocument: { uri: uriOf(path), version: 2 },
    contentChanges: [{ text }],
  });
  await hover(path, 0); // what was sent before is taken by the time of the answer
}

async function save(path: string, text: string): Promise<void> {
  repo.writeBytes(path, text);
  await client.sendNotification("textDocument/didSave", { textDocument: { uri: uriOf(path) } });
  await hover(path, 0);
}

const hover = (path: string, line: number) =>
  client.sendRequest<{ contents: { value: string } } | null>("textDocument/hover", {
    textDocument: { uri: uriOf(path) },
    position: { line, character: 0 },
  });

test("typing and saving makes a line the person's, with the editor's name", async () => {
  await open("a.txt", "one\ntwo\n");
  await change("a.txt", "one\ntyped\ntwo\n");
  await save("a.txt", "one\ntyped\ntwo\n");
  expect((await hover("a.txt", 1))?.contents.value).toContain("**Person `Test User <test@example.com>`**");
  await repo.commit();
  expect(repo.blame("a.txt")).toBe("UKU");
});

test("a change that a program made to the document is nobody's", async () => {
  await open("a.txt", "one\ntwo\n");
  await client.sendNotification(changedByProgram, { uri: uriOf("a.txt") });
  await change("a.txt", "one\nmade\ntwo\n");
  await save("a.txt", "one\nmade\ntwo\n");
  await repo.commit();
  expect(repo.blame("a.txt")).toBe("UUU");
});

test("a file that git does not know yet shows its owners too", async () => {
  repo.agentEdit("new.txt", () => repo.write("new.txt", "by an agent"));
  await open("new.txt", "by an agent\n");
  expect((await hover("new.txt", 0))?.contents.value).toContain("**Agent `claude m-1`**");
});

test("inlay hints and lenses stand at the beginning of blocks", async () => {
  repo.agentEdit("a.txt", () => repo.write("a.txt", "one", "x", "y", "two"));
  await open("a.txt", "one\nx\ny\ntwo\n");
  const textDocument = { uri: uriOf("a.txt") };
  const range = { start: { line: 0, character: 0 }, end: { line: 9, character: 0 } };
  expect(await client.sendRequest("textDocument/inlayHint", { textDocument, range })).toMatchObject([
    { position: { line: 1, character: 1 }, label: "claude m-1" },
  ]);
  expect(await client.sendRequest("textDocument/codeLens", { textDocument })).toMatchObject([
    { range: { start: { line: 1 } }, command: { title: "claude m-1 (not committed)", command: "" } },
  ]);
});

test("what is no file, lies outside or is not open is answered with nothing", async () => {
  await open("a.txt", "one\ntwo\n");
  for (const uri of [
    "untitled:1",
    "file:///proc/self/mem",
    "file://host/share/a",
    "file:///%00",
    "x",
    uriOf("no"),
  ]) {
    await client.sendNotification("textDocument/didOpen", {
      textDocument: { uri, languageId: "text", version: 1, text: "x" },
    });
    await client.sendNotification("textDocument/didChange", {
      textDocument: { uri, version: 2 },
      contentChanges: [{ text: "y" }],
    });
    await client.sendNotification("textDocument/didSave", { textDocument: { uri } });
    await client.sendNotification(changedByProgram, uri);
    const params = { textDocument: { uri }, position: { line: 0, character: 0 } };
    expect(await client.sendRequest("textDocument/hover", params)).toBeNull();
  }
  for (const args of [[], ["../../x", uriOf("a.txt")], ["x", 1]]) {
    const params = { command: "keyframe.openConversation", arguments: args };
    expect(await client.sendRequest("workspace/executeCommand", params)).toBeNull();
  }
});

test("a person who types while an agent's shell call runs leaves the call its lines", async () => {
  repo.agentEdit("a.txt", () => repo.write("a.txt", "one", "two", "three"), agentB);
  await open("a.txt", "one\ntwo\nthree\n");
  repo.shellBegins("s1");
  repo.write("a.txt", "one", "by the shell", "two", "three");
  await change("a.txt", "one\nby the shell\ntwo\nthree\n");
  await change("a.txt", "one\nby the shell\ntwo\nthree\ntyped\n");
  await save("a.txt", "one\nby the shell\ntwo\nthree\ntyped\n");
  repo.shellEnds("s1");
  await repo.commit();
  expect(repo.blame("a.txt")).toBe("UAUBK");
});
