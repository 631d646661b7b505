import { fileURLToPath, pathToFileURL } from "node:url";
import type {
  CodeLens,
  Connection,
  Hover,
  InitializeParams,
  InitializeResult,
  InlayHint,
} from "vscode-languageserver/node";
import {
  MessageType,
  ShowMessageNotification,
  TextDocumentSyncKind,
  TextDocuments,
} from "vscode-languageserver/node";
import { TextDocument } from "vscode-languageserver-textdocument";
import { errorText } from "../base/errors.ts";
import { cleanLine } from "../base/text/clean-text.ts";
import type { AskContext } from "../workflows/ask/ask-context.ts";
import { conversationFolder, writeConversation } from "./conversation-file.ts";
import { hoverText, inlayLabel, lensTitle, openConversation } from "./describe-owner.ts";
import { blocksOf } from "./document-owners.ts";
import { OwnerSource, type OwnerSourceOptions } from "./owner-source.ts";
import { type EditorName, SaveRecorder } from "./save-recorder.ts";

export interface EditorServerOptions extends OwnerSourceOptions {
  readonly version: string;
  readonly everywhere: boolean;
}

/** A notification of our own: a program changed the document (`{ uri }`), for editors that can tell that nobody typed. */
export const changedByProgram = "keyframe/changedByProgram";

const maxLenses = 1000;
const moreInformation = 1024;

/** Speaks the Language Server Protocol on a connection, until the editor ends it. */
export function serveEditor(connection: Connection, options: EditorServerOptions): void {
  const documents = new TextDocuments(TextDocument);
  const server = new EditorServer(connection, documents, options);
  connection.onInitialize((params) => server.initialize(params));
  documents.onDidOpen(({ document }) => server.open(document));
  documents.onDidChangeContent(({ document }) => server.change(document));
  documents.onDidSave(({ document }) => server.save(document));
  documents.onDidClose(({ document }) => server.close(document));
  connection.onNotification(changedByProgram, (params: unknown) => server.changeByProgram(params));
  connection.onHover(({ textDocument, position }) => server.hover(textDocument.uri, position.line));
  connection.onCodeLens(({ textDocument }) => server.lenses(textDocument.uri));
  connection.languages.inlayHint.on(({ textDocument, range }) =>
    server.inlays(textDocument.uri, { first: range.start.line, last: range.end.line }),
  );
  connection.onExecuteCommand(({ command, arguments: args }) => server.execute(command, args ?? []));
  connection.onShutdown(() => server.shutDown());
  documents.listen(connection);
  connection.listen();
}

class EditorServer {
  readonly #connection: Connection;
  readonly #documents: TextDocuments<TextDocument>;
  readonly #options: EditorServerOptions;
  readonly #owners: OwnerSource;
  readonly #shown = new Map<string, AskContext>();
  #recorder: SaveRecorder | undefined;
  #canShow = false;

  constructor(connection: Connection, documents: TextDocuments<TextDocument>, options: EditorServerOptions) {
    this.#connection = connection;
    this.#documents = documents;
    this.#options = options;
    this.#owners = new OwnerSource(options);
  }

  initialize({ clientInfo, capabilities, initializationOptions }: InitializeParams): InitializeResult {
    const { machine, everywhere, version } = this.#options;
    const editor = editorOf(clientInfo, initializationOptions);
    this.#recorder = new SaveRecorder({ machine, everywhere, editor });
    this.#canShow = capabilities.window?.showDocument?.support === true;
    return {
      serverInfo: { name: "keyframe", version },
      capabilities: {
        textDocumentSync: { openClose: true, change: TextDocumentSyncKind.Incremental, save: true },
        hoverProvider: true,
        codeLensProvider: { resolveProvider: false },
        inlayHintProvider: true,
        executeCommandProvider: { commands: [openConversation] },
      },
    };
  }

  open(document: TextDocument): void {
    this.#record(document, (recorder, path) => recorder.open(path, document.getText()));
  }

  change(document: TextDocument): void {
    this.#record(document, (recorder, path) => recorder.change(path, document.getText()));
  }

  save(document: TextDocument): void {
    this.#record(document, (recorder, path) => recorder.save(path));
  }

  close(document: TextDocument): void {
    this.#record(document, (recorder, path) => {
      recorder.close(path);
      this.#owners.forget(path);
    });
  }

  changeByProgram(params: unknown): void {
    const uri = typeof params === "object" && params !== null && "uri" in params ? params.uri : undefined;
    const path = typeof uri === "string" ? pathOf(uri) : undefined;
    if (path !== undefined) this.#recorder?.changeByProgram(path);
  }

  async hover(uri: string, index: number): Promise<Hover | null> {
    const found = await this.#find(uri);
    const line = found?.owners[index];
    if (found === undefined || line === undefined) return null;
    const checkpoint = await this.#owners.conversationOf(found.path, line);
    return { contents: { kind: "markdown", value: hoverText(line, checkpoint) } };
  }

  async lenses(uri: string): Promise<CodeLens[]> {
    const found = await this.#find(uri);
    if (found === undefined) return [];
    const blocks = blocksOf(found.owners)
      .filter(({ line }) => line.owner?.kind === "agent")
      .slice(0, maxLenses);
    return Promise.all(
      blocks.map(async (block) => {
        const checkpoint = await this.#owners.conversationOf(found.path, block.line);
        const start = { line: block.first, character: 0 };
        const command = {
          title: lensTitle(block),
          command: checkpoint === undefined ? "" : openConversation,
          ...(checkpoint === undefined ? {} : { arguments: [checkpoint, uri] }),
        };
        return { range: { start, end: start }, command };
      }),
    );
  }

  async inlays(
    uri: string,
    { first, last }: { readonly first: number; readonly last: number },
  ): Promise<InlayHint[]> {
    const found = await this.#find(uri);
    if (found === undefined) return [];
    const document = this.#documents.get(uri);
    return blocksOf(found.owners)
      .filter((block) => block.first <= last && block.last >= first)
      .map((block) => ({
        position: endOfLine(document, block.first),
        label: inlayLabel(block),
        paddingLeft: true,
        tooltip: lensTitle(block),
      }));
  }

  /** Returns the path of the Markdown file that it wrote, for clients that open it by themselves. */
  async execute(command: string, args: readonly unknown[]): Promise<{ readonly path: string } | null> {
    const [checkpoint, uri] = args;
    const path = typeof uri === "string" ? pathOf(uri) : undefined;
    const context = path === undefined ? undefined : this.#owners.contextOf(path);
    if (command !== openConversation || typeof checkpoint !== "string" || context === undefined) return null;
    try {
      const written = await writeConversation(context, checkpoint);
      this.#shown.set(conversationFolder(context), context);
      if (this.#canShow)
        await this.#connection.window.showDocument({ uri: pathToFileURL(written).href, takeFocus: true });
      return { path: written };
    } catch (error) {
      // a notification, not a request: a client need not know how to answer
      const message = `keyframe: ${cleanLine(errorText(error))}`;
      await this.#connection.sendNotification(ShowMessageNotification.type, {
        type: MessageType.Error,
        message,
      });
      return null;
    }
  }

  shutDown(): void {
    for (const [folder, { files }] of this.#shown) files.removeTree(folder);
  }

  #record(document: TextDocument, work: (recorder: SaveRecorder, path: string) => void): void {
    const path = pathOf(document.uri);
    if (path === undefined || this.#recorder === undefined) return;
    try {
      work(this.#recorder, path);
    } catch (error) {
      // nothing that goes wrong here may disturb the editor
      this.#connection.console.warn(`keyframe: ${cleanLine(errorText(error)).slice(0, moreInformation)}`);
    }
  }

  async #find(uri: string) {
    const path = pathOf(uri);
    const document = this.#documents.get(uri);
    if (path === undefined || document === undefined) return undefined;
    return { path, owners: await this.#owners.ownersOf(path, document.getText()) };
  }
}

/** Undefined for what is no file of this machine. */
function pathOf(uri: string): string | undefined {
  try {
    const path = uri.startsWith("file:") ? fileURLToPath(uri) : "\0";
    return path.includes("\0") ? undefined : path;
  } catch {
    return undefined; // a host or characters that no local path has
  }
}

function endOfLine(document: TextDocument | undefined, line: number) {
  const start = { line, character: 0 };
  const text = document?.getText({ start, end: { line: line + 1, character: 0 } }) ?? "";
  return { line, character: text.replace(/\r?\n$/, "").length };
}

function editorOf(client: InitializeParams["clientInfo"], options: unknown): EditorName | undefined {
  if (client === undefined) return undefined;
  const extension =
    typeof options === "object" && options !== null && "extensionVersion" in options
      ? options.extensionVersion
      : undefined;
  return {
    name: client.name,
    ...(client.version === undefined ? {} : { version: client.version }),
    ...(typeof extension === "string" ? { extensionVersion: extension } : {}),
  };
}
