import { annotateBlamePorcelain, annotateBlameText } from "../../authorship/blame/annotate.ts";
import { type BlameArguments, readBlameArguments } from "../../authorship/blame/arguments.ts";
import { pendingOwnersOf } from "../../authorship/blame/journal-owners.ts";
import { blameJson } from "../../authorship/blame/json.ts";
import { type OwnerLookup, openOwnerLookup } from "../../authorship/blame/owner-lookup.ts";
import type { PendingOwners } from "../../authorship/blame/pending-owners.ts";
import { type BlameLine, parseBlamePorcelain } from "../../authorship/blame/porcelain.ts";
import { openNoteSource } from "../../authorship/note/note-source.ts";
import { cleanJson } from "../../base/text/clean-text.ts";
import { openRedactedPrompts } from "../../checkpoints/capture/redacted-prompts.ts";
import { openGit } from "../../git/git.ts";
import { fixedLineChoice } from "../../git/objects/line-choice.ts";
import { openObjectReader } from "../../git/objects/objects.ts";
import { mustFindRepository } from "../../git/repository.ts";
import { readDescriptor } from "../../system/files/files.ts";
import type { ProcessResult } from "../../system/process/processes.ts";
import type { CliContext } from "../command/context.ts";
import { openPagedOutput } from "../command/pager.ts";
import type { RawCommand } from "../command/raw-command.ts";
import { settleFirst } from "../command/settle-first.ts";
import { ownerCells } from "../output/owner-column.ts";
import { printable, printableText } from "../output/terminal.ts";
import { streamIncremental } from "./incremental.ts";

/** Largest file that `--contents -` reads from standard input, bytes. */
const maxContentsBytes = 256 * 1024 * 1024;

export const blame: RawCommand = async (context, args) => {
  await settleFirst(context);
  const repository = mustFindRepository(context.cwd, context);
  await runBlame(context, args, pendingOwnersOf(repository, context.files));
};

/** `keyframe blame`: git's own blame with the owner of each line. */
export async function runBlame(
  context: CliContext,
  args: readonly string[],
  pendingOwners?: PendingOwners,
): Promise<void> {
  const wanted = readBlameArguments(args);
  if (!wanted.withOwners && wanted.format !== "json") return passThrough(context, wanted);
  const git = openGit(mustFindRepository(context.cwd, context), context.processes, context.env);
  const reader = openObjectReader(git);
  try {
    const lookup = openOwnerLookup(
      openNoteSource(git, reader, context.files),
      wanted.otherContents ? undefined : pendingOwners,
    );
    // started beside the blame itself: the first note would otherwise wait for a process start
    const warm = reader.read("HEAD");
    warm.catch(() => undefined); // the read that needs the process reports it
    if (wanted.format === "incremental" && !wanted.reverse) {
      return await streamIncremental(context, wanted.gitArguments, lookup);
    }
    await printBlame(context, wanted, { lookup, loaded: () => void reader.close() });
  } finally {
    await reader.close();
  }
}

async function passThrough(context: CliContext, wanted: BlameArguments): Promise<void> {
  const child = context.processes.attach("git", ["blame", ...wanted.gitArguments], {
    cwd: context.cwd,
    env: context.env,
    stdin: "inherit",
  });
  context.process.exitCode = (await child.exited).code;
}

interface Owners {
  readonly lookup: OwnerLookup;
  /** Called when no more notes are needed, so that their reader ends while we print. */
  readonly loaded: () => void;
}

async function printBlame(
  context: CliContext,
  wanted: BlameArguments,
  { lookup, loaded }: Owners,
): Promise<void> {
  const stdin = wanted.readsStandardInput ? readDescriptor(0, maxContentsBytes) : "";
  const run = (options: readonly string[]) =>
    context.processes.run("git", [...fixedLineChoice, "blame", ...options], {
      cwd: context.cwd,
      env: context.env,
      stdin,
    });
  const porcelain = ["--porcelain", ...wanted.originArguments];
  // text needs both; the porcelain formats carry the origins themselves, unless they are reversed
  const ownOrigins = wanted.format !== "text" && wanted.format !== "incremental" && !wanted.reverse;
  const shownArguments =
    wanted.format === "json" ? ["--porcelain", ...wanted.gitArguments] : wanted.gitArguments;
  const [shown, origin] = await Promise.all([run(shownArguments), ownOrigins ? undefined : run(porcelain)]);
  if (shown.stderr !== "") context.terminal.note(shown.stderr.replace(/\n$/, ""));
  context.process.exitCode = shown.code;
  if (shown.code !== 0) return;
  const origins = originsOf(origin ?? shown);
  await lookup.load(origins.map(({ commit }) => commit));
  loaded();
  const output = await openPagedOutput(context, "blame");
  await output.write(render(context, { wanted, shown: shown.stdout, origins, lookup }));
  await output.close();
}

function originsOf(result: ProcessResult): BlameLine[] {
  return result.code === 0 ? parseBlamePorcelain(result.stdout) : [];
}

interface Rendering {
  readonly wanted: BlameArguments;
  readonly shown: Buffer;
  readonly origins: readonly BlameLine[];
  readonly lookup: OwnerLookup;
}

function render(context: CliContext, { wanted, shown, origins, lookup }: Rendering): Buffer | string {
  if (wanted.format === "text") return renderText(context, { wanted, shown, origins, lookup });
  const owners = origins.map((line) => lookup.ownerOf(line));
  if (wanted.format === "json") {
    const findPrompt = openRedactedPrompts(mustFindRepository(context.cwd, context), context.files);
    const lines = wanted.reverse ? parseBlamePorcelain(shown) : origins;
    return `${cleanJson(JSON.stringify(blameJson(lines, owners, findPrompt), null, 2))}\n`;
  }
  return annotateBlamePorcelain(shown, owners);
}

function renderText(context: CliContext, { wanted, shown, origins, lookup }: Rendering): Buffer | string {
  // where git colours the columns itself, a colour of ours would end its own
  const style = wanted.coloured ? { style: (_: unknown, text: string) => text } : context.terminal;
  const cells = ownerCells(
    style,
    origins.map((line) => lookup.ownerOf(line)?.owner),
  );
  const cleans = context.terminal.isInteractive && !wanted.coloured;
  if (cells === undefined && !cleans) return shown;
  const text = annotateBlameText(shown, origins, {
    cellAt: cells ?? (() => ""),
    compatible: wanted.compatible,
    ...(cleans && { cleanHead: printable }),
  });
  if (text !== undefined) return text;
  context.terminal.note(
    "keyframe: the lines cannot be told apart (a file name has a line break): no owners are shown",
  );
  return cleans ? printableText(shown.toString("utf8")) : shown;
}
