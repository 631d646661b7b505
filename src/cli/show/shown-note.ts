import type { ParsedAuthorshipLog } from "../../authorship/note/log-codec.ts";
import type { Oid } from "../../git/ids.ts";
import type { PromptFinder } from "../../journal/log/session-log.ts";

/** A commit's note, ready to be shown. */
export interface ShownNote extends ParsedAuthorshipLog {
  readonly commit: Oid;
  /** `<short id> <subject>`, as git prints it. */
  readonly title: string;
  readonly findPrompt: PromptFinder;
}
