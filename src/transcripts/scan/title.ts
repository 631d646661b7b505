import { stripContextTags } from "../compact/claude.ts";

/**
 * What a person would call a piece of work: the first line of its prompts that says something. Lines that only lead in
 * ("Implement the following plan:"), agree or command an agent say nothing; where no line says more, the first one that
 * is there. Undefined: no prompt has a line. Marks of headings and lists are left out.
 */
export function titleOf(prompts: readonly string[]): string | undefined {
  let first: string | undefined;
  for (const prompt of prompts) {
    for (const line of linesOf(prompt)) {
      first ??= line;
      if (saysSomething(line)) return line;
    }
  }
  return first;
}

function* linesOf(prompt: string): Generator<string> {
  let inFence = false;
  for (const raw of stripContextTags(prompt).slice(0, maxLookedAt).split("\n")) {
    if (/^\s*(?:```|~~~)/.test(raw)) {
      inFence = !inFence;
      continue;
    }
    const line = raw
      .trim()
      .replace(/^(?:#{1,6}\s+|>\s*|[-*+]\s+|\d{1,3}[.)]\s+)+/, "")
      .replace(/^\*\*(.+)\*\*:?$/, "$1")
      .trim();
    if (!inFence && /[\p{L}\p{N}]/u.test(line)) yield line;
  }
}

const maxLookedAt = 20_000;

const agreement =
  /^(?:ok(?:ay)?|yes|yep|y|no|sure|please|thanks?(?: you)?|great|good|perfect|continue|go(?: on| ahead)?|proceed|next|do it|again|try again|retry|resume|done|commit(?: (?:it|this|that|the changes|and push))?|push(?: it)?|lgtm|looks good)\b[\s.!,]*(?:please|thanks?|thank you)?[\s.!]*$/i;

const leadIn =
  /^(?:please\s+)?(?:now\s+)?(?:can you\s+)?(?:implement|execute|follow|do|build|carry out|apply|fix|address|handle|resolve|work on|start with|here is|here's|here are|this is)\b.{0,40}\b(?:plan|tasks?|changes|spec(?:ification)?|issues?|instructions?|steps|request|comments?|following|below|error|context)\b[^:]{0,20}:$/i;

function saysSomething(line: string): boolean {
  const isCommand = /^\/[a-z][\w:-]*$/i.test(line);
  const isInterruption = line.startsWith("[Request interrupted by user");
  return !(isCommand || isInterruption || agreement.test(line) || leadIn.test(line));
}
