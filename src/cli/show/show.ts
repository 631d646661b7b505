import { parseAuthorshipLog } from "../../authorship/note/log-codec.ts";
import { openNoteSource } from "../../authorship/note/note-source.ts";
import { KeyframeError } from "../../base/errors.ts";
import { openRedactedPrompts } from "../../checkpoints/capture/redacted-prompts.ts";
import { openGit } from "../../git/git.ts";
import { openObjectReader } from "../../git/objects/objects.ts";
import { mustResolveCommit } from "../../git/refs/refs.ts";
import { mustFindRepository } from "../../git/repository.ts";
import type { CliContext } from "../command/context.ts";
import { settleFirst } from "../command/settle-first.ts";
import { exactOutput } from "../output/terminal.ts";
import { showJson } from "./json.ts";
import { showText } from "./text.ts";

export interface ShowFlags {
  readonly json?: boolean;
  readonly raw?: boolean;
}

/** `keyframe show`. @throws KeyframeError `not-found` where the commit has no note */
export async function show(this: CliContext, flags: ShowFlags, revision = "HEAD"): Promise<void> {
  await settleFirst(this);
  const git = openGit(mustFindRepository(this.cwd, this), this.processes, this.env);
  const reader = openObjectReader(git);
  try {
    const commit = await mustResolveCommit(git, revision);
    const [notes, title] = await Promise.all([
      openNoteSource(git, reader, this.files).read([commit]),
      git.text(["log", "-1", "--no-show-signature", "--format=%h %s", commit]),
    ]);
    const bytes = notes.get(commit);
    if (bytes === undefined) {
      throw new KeyframeError("not-found", `${revision} (${title}) has no authorship note`, {
        hint: "its lines are unknown; notes made elsewhere come with `git fetch origin refs/notes/ai:refs/notes/ai`",
      });
    }
    if (flags.raw) {
      this.process.stdout.write(exactOutput(this.terminal, bytes));
      if (this.terminal.isInteractive) this.terminal.out("");
      return;
    }
    const findPrompt = openRedactedPrompts(git.repository, this.files);
    const note = { ...parseAuthorshipLog(bytes), commit, title, findPrompt };
    if (flags.json) this.terminal.json(showJson(note));
    else this.terminal.out(showText(this.terminal, note));
  } finally {
    await reader.close();
  }
}
