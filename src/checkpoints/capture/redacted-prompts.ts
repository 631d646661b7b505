import type { Repository } from "../../git/repository.ts";
import { openPromptFinder, type PromptFinder } from "../../journal/log/session-log.ts";
import type { Files } from "../../system/files/files.ts";
import type { Redactor } from "../../transcripts/redaction/redaction.ts";
import { readCaptureSettings } from "./settings.ts";

/**
 * Prompts as hooks recorded them on this machine, redacted, for what prints them or hands them on: output goes to other agents,
 * editors and pages. The rules are read when there is a prompt; where they cannot be used there are no prompts.
 */
export function openRedactedPrompts(repository: Repository, files: Files): PromptFinder {
  const find = openPromptFinder(repository, files);
  const redacted = new Map<string, string>();
  let redactor: Redactor | undefined;
  return (session, trace) => {
    const prompt = find(session, trace);
    if (prompt === undefined) return undefined;
    redactor ??= usableRedactor(repository, files);
    const text = redacted.get(prompt) ?? redactor?.redactText(prompt);
    if (text !== undefined) redacted.set(prompt, text);
    return text;
  };
}

/** A text that a user wrote and that is about to be printed or handed on. Empty where the user's rules cannot be used. */
export function redactedText(repository: Repository, files: Files, text: string): string {
  return usableRedactor(repository, files)?.redactText(text) ?? "";
}

function usableRedactor(repository: Repository, files: Files): Redactor | undefined {
  try {
    return readCaptureSettings(repository, { files }).redactor;
  } catch {
    return undefined; // storing and `status` name what is wrong with the settings
  }
}
