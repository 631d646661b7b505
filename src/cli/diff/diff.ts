import { pendingOwnersOf } from "../../authorship/blame/journal-owners.ts";
import { ownerJson } from "../../authorship/blame/json.ts";
import { type LineOwner, openOwnerLookup } from "../../authorship/blame/owner-lookup.ts";
import type { PendingOwners } from "../../authorship/blame/pending-owners.ts";
import { textOfBytes } from "../../authorship/blame/porcelain.ts";
import { createReferencedRecords } from "../../authorship/blame/referenced-records.ts";
import { type DiffOwners, openDiffOwners } from "../../authorship/diff/owners.ts";
import { type DiffSides, readDiffSides } from "../../authorship/diff/sides.ts";
import { changedRanges, type DiffLine, type FileDiff, parseUnifiedDiff } from "../../authorship/diff/text.ts";
import { openNoteSource } from "../../authorship/note/note-source.ts";
import type { JsonObject } from "../../base/json.ts";
import { openGit } from "../../git/git.ts";
import { openObjectReader } from "../../git/objects/objects.ts";
import { mustFindRepository } from "../../git/repository.ts";
import { openPromptFinder, type PromptFinder } from "../../journal/log/session-log.ts";
import type { CliContext } from "../command/context.ts";
import { openPagedOutput, type PagedOutput } from "../command/pager.ts";
import type { RawCommand } from "../command/raw-command.ts";
import { settleFirst } from "../command/settle-first.ts";
import { ownerCells } from "../output/owner-column.ts";
import { printableText, type Terminal } from "../output/terminal.ts";

export const diff: RawCommand = async (context, args) => {
  await settleFirst(context);
  const repository = mustFindRepository(context.cwd, context);
  await runDiff(context, args, pendingOwnersOf(repository, context.files));
};

/** `keyframe diff`: git's own diff with the owner of each added and removed line. */
export async function runDiff(
  context: CliContext,
  args: readonly string[],
  pendingOwners?: PendingOwners,
): Promise<void> {
  const json = args.includes("--json");
  const gitArguments = args.filter((arg) => arg !== "--json");
  const git = openGit(mustFindRepository(context.cwd, context), context.processes, context.env);
  // paths are needed as a/ and b/, colours are ours
  const shape = ["--no-color", "--no-ext-diff", "--src-prefix=a/", "--dst-prefix=b/"];
  const [shown, sides] = await Promise.all([
    context.processes.run("git", ["diff", ...shape, ...gitArguments], { cwd: context.cwd, env: context.env }),
    readDiffSides(git, gitArguments),
  ]);
  if (shown.stderr !== "") context.terminal.note(shown.stderr.replace(/\n$/, ""));
  context.process.exitCode = shown.code;
  if (shown.code > 1) return;
  const reader = openObjectReader(git);
  try {
    const owners = openDiffOwners(
      git,
      openOwnerLookup(openNoteSource(git, reader, context.files), pendingOwners),
    );
    const files = annotateFiles(parseUnifiedDiff(shown.stdout), owners, sides);
    if (json) context.terminal.json(await diffJson(files, openPromptFinder(git.repository, context.files)));
    else await printFiles(context.terminal, files, await openPagedOutput(context, "diff"));
  } finally {
    await reader.close();
  }
}

interface AnnotatedFile extends FileDiff {
  ownerOf(line: DiffLine): LineOwner | undefined;
}

async function* annotateFiles(
  files: readonly FileDiff[],
  owners: DiffOwners,
  sides: DiffSides | undefined,
): AsyncGenerator<AnnotatedFile> {
  for (const file of files) {
    const { oldPath, newPath } = file;
    const [added, removed] = await Promise.all([
      sides && newPath !== undefined
        ? owners.ownersOf(sides.new, newPath, changedRanges(file, "added"))
        : undefined,
      sides && oldPath !== undefined
        ? owners.ownersOf(sides.old, oldPath, changedRanges(file, "removed"))
        : undefined,
    ]);
    yield { ...file, ownerOf: ({ kind, line }) => (kind === "added" ? added : removed)?.get(line ?? 0) };
  }
}

async function printFiles(
  terminal: Terminal,
  files: AsyncIterable<AnnotatedFile>,
  output: PagedOutput,
): Promise<void> {
  for await (const file of files) if (!(await output.write(fileText(terminal, file)))) break;
  await output.close();
}

const styles = { header: "bold", hunk: "cyan", context: "reset", added: "green", removed: "red" } as const;

/** The owner stands left of the line, in a column as wide as the file needs; headers stay as git writes them. */
function fileText(terminal: Terminal, file: AnnotatedFile): Buffer {
  const owners = file.lines.map((line) => (line.line === undefined ? undefined : file.ownerOf(line)?.owner));
  const cells = ownerCells(terminal, owners);
  const lines = file.lines.map((line, index) => {
    // one character per byte: colours and labels are added as bytes too
    const isContent = line.kind !== "header" && line.kind !== "hunk";
    const clean =
      isContent || !terminal.isInteractive ? line.bytes : bytesOf(printableText(textOfBytes(line.bytes)));
    const styled = line.kind === "context" ? clean : terminal.style(styles[line.kind], clean);
    return isContent && cells !== undefined
      ? `${bytesOf(`${cells(index).slice(1)} │`)}${styled}\n`
      : `${styled}\n`;
  });
  return Buffer.from(lines.join(""), "latin1");
}

function bytesOf(text: string): string {
  return Buffer.from(text).toString("latin1");
}

async function diffJson(files: AsyncIterable<AnnotatedFile>, findPrompt: PromptFinder): Promise<JsonObject> {
  const records = createReferencedRecords(findPrompt);
  const list: JsonObject[] = [];
  for await (const file of files) {
    const lines = file.lines.flatMap((line): JsonObject[] => {
      if (line.line === undefined) return [];
      const owned = file.ownerOf(line);
      if (owned !== undefined) records.add(owned);
      const owner = owned === undefined ? null : ownerJson(owned);
      return [{ kind: line.kind, line: line.line, owner, content: textOfBytes(line.bytes.slice(1)) }];
    });
    if (file.oldPath === undefined && file.newPath === undefined && lines.length === 0) continue;
    list.push({ old_path: file.oldPath ?? null, new_path: file.newPath ?? null, lines });
  }
  return { files: list, ...records.toJson() };
}
