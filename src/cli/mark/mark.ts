import { KeyframeError } from "../../base/errors.ts";
import { takeMark } from "../../checkpoints/capture/marks.ts";
import { isSwitchedOff } from "../../state/switch.ts";
import { momentId } from "../../timeline/moment.ts";
import type { CliContext } from "../command/context.ts";
import { openRepositoryGit } from "../command/open-repository.ts";
import { printable } from "../output/terminal.ts";
import type { MarkFlags } from "./mark-command.ts";

const maxTitleLength = 200;

/** `keyframe mark <title>` */
export async function mark(this: CliContext, { json }: MarkFlags, text: string): Promise<void> {
  const git = openRepositoryGit(this);
  if (git.repository.workTree === undefined)
    throw new KeyframeError("refused", "a bare repository has no files to remember");
  if (isSwitchedOff(git.repository, this.files)) {
    throw new KeyframeError("refused", "Keyframe is off in this repository", {
      hint: "run `keyframe enable`",
    });
  }
  const title = text.replace(/\s+/g, " ").trim();
  if (title === "" || title.length > maxTitleLength)
    throw new KeyframeError("usage", `a title has 1 to ${maxTitleLength} characters, got ${title.length}`);
  const { commit, at, base, branch, sessions, untaken } = await takeMark(git, this, title);
  const id = momentId(commit);
  if (json) {
    this.terminal.json({ id, title, at, base, branch: branch ?? null, sessions, filesTooLarge: untaken });
    return;
  }
  this.terminal.out(`${this.terminal.style("yellow", id)}  ${printable(title)}`);
  if (untaken > 0) this.terminal.note(`${untaken} new files are too large and are not part of the mark`);
}
