import { cleanJson } from "../../base/text/clean-text.ts";
import { mustFindRepository, type Repository } from "../../git/repository.ts";
import { listEpochs, logPath } from "../../journal/layout.ts";
import { readEvents } from "../../journal/log/log.ts";
import { pruneJournal } from "../../journal/upkeep/prune.ts";
import type { CliContext } from "../command/context.ts";
import { formatTable, printable } from "../output/terminal.ts";
import { readPendingFiles } from "../status/pending.ts";
import type { JournalFlags } from "./journal-command.ts";

/** `keyframe journal` */
export async function journal(this: CliContext, flags: JournalFlags): Promise<void> {
  const repository = mustFindRepository(this.cwd, this);
  if (flags.prune !== undefined) return prune(this, repository, { ...flags, days: flags.prune });
  if (flags.events) return printEvents(this, repository, flags.json === true);
  const pending = readPendingFiles(repository, this.files);
  if (flags.json) return this.terminal.json({ pending });
  if (pending.length === 0) return this.terminal.note("nothing is pending");
  const rows = pending.flatMap(({ path, owners }) =>
    owners.map(({ name, model, lines }) => [
      printable(path),
      `${lines} ${lines === 1 ? "line" : "lines"}`,
      printable(model === undefined ? name : `${name} (${model})`),
    ]),
  );
  this.terminal.out(formatTable(rows, [{}, { align: "right" }]));
}

function prune(
  context: CliContext,
  repository: Repository,
  { days, dryRun, json }: JournalFlags & { readonly days: number },
): void {
  const { terminal, clock } = context;
  const beforeMs = clock.nowMs() - days * 24 * 60 * 60 * 1000;
  const result = pruneJournal(context, repository, { beforeMs, dryRun: dryRun === true });
  if (json) {
    terminal.json(result);
    return;
  }
  const verb = dryRun ? "would drop" : "dropped";
  terminal.out(
    `${verb} ${result.droppedEvents} events and ${result.damagedLines} damaged lines, kept ${result.keptEvents}`,
  );
}

function printEvents(context: CliContext, repository: Repository, json: boolean): void {
  const { terminal, files } = context;
  for (const epoch of listEpochs(repository, files)) {
    for (const entry of readEvents(files, logPath(epoch))) {
      if (json)
        context.process.stdout.write(`${cleanJson(JSON.stringify({ base: epoch.base, ...entry }))}\n`);
      else if ("damaged" in entry) {
        terminal.out(
          terminal.style(
            "red",
            `damaged line (${entry.damaged}) at byte ${entry.offsetBytes} of ${logPath(epoch)}`,
          ),
        );
      } else {
        const who = entry.agent?.tool ?? entry.human ?? "";
        const what = entry.takenLines === undefined ? "" : `${entry.takenLines} lines`;
        const cells = [
          new Date(entry.at).toISOString(),
          entry.kind.padEnd(8),
          printable(entry.path),
          who,
          entry.evidence ?? "",
          what,
        ];
        terminal.out(cells.filter((cell) => cell !== "").join("  "));
      }
    }
  }
}
