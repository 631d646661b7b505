import { readCapture, redactedPath } from "../../checkpoints/capture/record.ts";
import type { Repository } from "../../git/repository.ts";
import type { Files } from "../../system/files/files.ts";
import { fieldsOf } from "../../transcripts/json-fields.ts";
import { type TestCounts, testsInRecord } from "../../transcripts/scan/test-results.ts";
import { runConversation } from "../machines/machine-run.ts";
import { runOfMoment } from "../machines/run-conversation.ts";
import type { Moment, MomentSession } from "../moment.ts";

/** The last result of tests that the conversations of a moment had seen by then, from the copies that are kept of them. */
export function testsSeenAt(repository: Repository, files: Files, moment: Moment): TestCounts | undefined {
  for (const session of moment.sessions.toReversed()) {
    const found = lastResult(files, copyOf(repository, files, { moment, session }), session);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Undefined where no copy is here. */
function copyOf(
  repository: Repository,
  files: Files,
  { moment, session: { tool, session } }: { readonly moment: Moment; readonly session: MomentSession },
): string | undefined {
  const run = runOfMoment(moment);
  if (run !== undefined) return runConversation(repository, run, session);
  const record = readCapture(repository, files, { tool, id: session });
  return record === undefined ? undefined : redactedPath(repository, record);
}

function lastResult(
  files: Files,
  path: string | undefined,
  { transcript }: MomentSession,
): TestCounts | undefined {
  const bytes = path === undefined || transcript === undefined ? undefined : files.readIfExists(path);
  if (bytes === undefined || transcript === undefined) return undefined;
  const lines = bytes.toString("utf8").split("\n").slice(0, transcript.lines);
  for (const line of lines.reverse()) {
    const found = mayHold.test(line) ? testsInRecord(parse(line)) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Most records hold none of the words that every runner uses: they are not parsed. */
const mayHold = /pass|fail|ok|Tests run|examples/;

function parse(line: string): Readonly<Record<string, unknown>> {
  try {
    return fieldsOf(JSON.parse(line)) ?? {};
  } catch {
    return {}; // cut off while it was written
  }
}
