/** A piece of a conversation, and how much it says: prompts first, then answers, then what tools did. */
export interface BudgetPiece {
  readonly text: string;
  readonly kind: "prompt" | "answer" | "tool";
}

/** Characters that count as one token: a coarse measure that is never far off for English and code. */
const charactersPerToken = 4;
const order: readonly BudgetPiece["kind"][] = ["prompt", "answer", "tool"];

/**
 * As much of a conversation as fits, in its order: prompts before answers before tools, of each the newest first, since a
 * reader who has little room wants to know what was asked and how it ended. What was left out is marked where it stood.
 */
export function fitBudget(pieces: readonly BudgetPiece[], tokens: number): string[] {
  const kept = new Set<number>();
  let left = tokens;
  for (const kind of order) {
    for (let at = pieces.length - 1; at >= 0; at -= 1) {
      const piece = pieces[at];
      if (piece === undefined || piece.kind !== kind) continue;
      const cost = Math.ceil(piece.text.length / charactersPerToken);
      if (cost > left) continue;
      left -= cost;
      kept.add(at);
    }
  }
  const out: string[] = [];
  let leftOut = 0;
  const mark = () => {
    if (leftOut > 0) out.push(`… ${leftOut} left out`);
    leftOut = 0;
  };
  for (const [at, { text }] of pieces.entries()) {
    if (!kept.has(at)) {
      leftOut += 1;
      continue;
    }
    mark();
    out.push(text);
  }
  mark();
  return out;
}
