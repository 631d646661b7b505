import { readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/** A secret of a well-known form, which agents of this world print now and then. */
export const secret = "AKIAABCDEFGHIJKLMNOP";
const redacted = "REDACTED";

/** One agent's transcript in one clone. */
interface Heard {
  readonly sessionId: string;
  readonly path: string;
  /** As it may be stored: without secrets. */
  text: string;
  /** A hook of its last turn was killed: until the next turn, what was said last may be stored nowhere. */
  disturbed: boolean;
}

/** What agents wrote, kept apart from every file that Keyframe may touch. */
export class Conversations {
  readonly #heard: Heard[] = [];
  readonly problems: string[] = [];

  /** Takes in how a transcript stands after a turn or a resume. */
  hear(sessionId: string, path: string, { disturbed }: { readonly disturbed: boolean }): void {
    const text = readSaid(path);
    const known = this.#heard.findLast((heard) => heard.path === path);
    if (known !== undefined && text.startsWith(known.text)) {
      known.text = text;
      known.disturbed = disturbed;
    } else {
      if (known !== undefined) this.#replaced(known);
      this.#heard.push({ sessionId, path, text, disturbed });
    }
  }

  /** Looks at every transcript that lies beside one: resume may have made or replaced it. */
  hearAll(directory: string): void {
    for (const sessionId of this.sessionsIn(directory)) {
      const path = join(directory, `${sessionId}.jsonl`);
      const known = this.#heard.findLast((heard) => heard.path === path);
      this.hear(sessionId, path, { disturbed: known?.disturbed ?? true });
    }
  }

  /** Sessions that an agent could go on with. */
  sessionsIn(directory: string): string[] {
    return listDirectory(directory).flatMap((name) =>
      name.endsWith(".jsonl") ? [basename(name, ".jsonl")] : [],
    );
  }

  isBegin(sessionId: string, text: string): boolean {
    return this.#heard.some((heard) => heard.sessionId === sessionId && heard.text.startsWith(text));
  }

  /** Each conversation that must be stored to its last line. */
  whole(): readonly { readonly sessionId: string; readonly text: string }[] {
    return this.#heard.filter(({ disturbed }) => !disturbed);
  }

  /** By a resume, which leaves what was there beside it. */
  #replaced(known: Heard): void {
    if (!this.#keptBeside(known)) this.problems.push(`lines of ${known.path} were overwritten`);
    known.disturbed = true; // nobody goes on with it
  }

  #keptBeside({ path, text }: Heard): boolean {
    const begin = `${basename(path)}.`;
    return listDirectory(dirname(path))
      .filter((name) => name.startsWith(begin) && name.endsWith(".before-resume"))
      .some((name) => readSaid(join(dirname(path), name)).startsWith(text));
  }
}

function readSaid(path: string): string {
  return readFileSync(path, "utf8").replaceAll(secret, redacted);
}

function listDirectory(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return []; // no agent has worked there yet
  }
}
