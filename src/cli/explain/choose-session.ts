import { KeyframeError } from "../../base/errors.ts";
import type { Explanation } from "../../checkpoints/query/explain.ts";

/** The place of the session that a number or the beginning of an id means; the newest without one. */
export function chooseSession({ sessions }: Explanation, wanted: string | undefined, id: string): number {
  if (wanted === undefined) return sessions.length - 1;
  const exact = sessions.findLastIndex(({ sessionId }) => sessionId === wanted);
  if (exact !== -1) return exact;
  const fitting = sessions.flatMap(({ sessionId }, at) => (sessionId?.startsWith(wanted) ? [at] : []));
  const place = /^[1-9]\d{0,3}$/.test(wanted) ? Number(wanted) - 1 : -1;
  const index = fitting.length === 0 && place < sessions.length ? place : (fitting.at(-1) ?? -1);
  if (new Set(fitting.map((at) => sessions[at]?.sessionId)).size > 1) {
    throw new KeyframeError(
      "invalid-input",
      `ambiguous session ${wanted}: it fits ${fitting.length} of checkpoint ${id}`,
      {
        hint: `type more of the id: ${fitting.map((at) => sessions[at]?.sessionId).join(", ")}`,
      },
    );
  }
  if (index === -1) {
    const known = sessions.map(({ sessionId }) => sessionId ?? "(unknown)").join(", ");
    throw new KeyframeError("not-found", `checkpoint ${id} has no session ${wanted}`, {
      hint: `it has ${known}`,
    });
  }
  return index;
}
