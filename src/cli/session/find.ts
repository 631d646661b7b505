import { KeyframeError } from "../../base/errors.ts";
import { type ListedState, listSessionStates } from "../../checkpoints/sessions/directory.ts";
import type { SessionState } from "../../checkpoints/sessions/state.ts";
import { mustFindRepository, type Repository } from "../../git/repository.ts";
import type { CliContext } from "../command/context.ts";

export interface FoundSession {
  readonly repository: Repository;
  readonly id: string;
  readonly state: SessionState;
}

/** The session that an id, or the unambiguous beginning of one, names. @throws KeyframeError */
export function mustFindSession(context: CliContext, text: string): FoundSession {
  const repository = mustFindRepository(context.cwd, context);
  const all = listSessionStates(context, repository);
  const exact = all.filter(({ id }) => id === text);
  const found: ListedState[] =
    exact.length > 0 ? exact : all.filter(({ id }) => text !== "" && id.startsWith(text));
  const [first, second] = found;
  if (first === undefined) {
    throw new KeyframeError("not-found", `no session is called ${text.slice(0, 80)}`, {
      hint: "see `keyframe session list`; one without hooks is adopted by `keyframe session attach`",
    });
  }
  if (second !== undefined) {
    throw new KeyframeError("usage", `${text} is the beginning of ${found.length} sessions`, {
      hint: "give more of its id",
    });
  }
  if (first.state === undefined) throw new KeyframeError("damaged", `session ${first.id}: ${first.problem}`);
  return { repository, id: first.id, state: first.state };
}
