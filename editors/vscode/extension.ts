// The extension for VS Code: starts `keyframe lsp` and tells it which changes nobody can have typed.
import { type ExtensionContext, type TextDocument, window, workspace } from "vscode";
import { LanguageClient, type LanguageClientOptions } from "vscode-languageclient/node";

let client: LanguageClient | undefined;

/** Called by the editor once it has started. */
export async function activate({ extension }: ExtensionContext): Promise<void> {
  const settings = workspace.getConfiguration("keyframe");
  const command = settings.get<string>("program", "keyframe");
  const args = ["lsp", ...(settings.get<boolean>("everywhere", false) ? ["--everywhere"] : [])];
  const { version } = extension.packageJSON as { readonly version: string };
  const started = new LanguageClient("keyframe", "Keyframe", { command, args }, optionsOf(version));
  client = started;
  await started.start();
}

export function deactivate(): Promise<void> | undefined {
  return client?.stop();
}

function optionsOf(extensionVersion: string): LanguageClientOptions {
  return {
    documentSelector: [{ scheme: "file" }],
    initializationOptions: { extensionVersion },
    middleware: {
      async didChange(event, next) {
        const { document, contentChanges } = event;
        if (contentChanges.length > 0 && !isTypedIn(document))
          await client?.sendNotification("keyframe/changedByProgram", { uri: document.uri.toString() });
        return next(event);
      },
    },
  };
}

/** A person types into the document in front of them, in a window that has the focus. */
function isTypedIn(document: TextDocument): boolean {
  return window.state.focused && window.activeTextEditor?.document === document;
}
