import type { AgentId } from "../../agents/agent-event.ts";

/** How a commit message names the agents behind it, where the user wants that: `git config keyframe.trailer <style>`. */
export type CreditStyle = "assisted-by" | "generated-by" | "co-authored-by";

const names: Readonly<Record<CreditStyle, string>> = {
  "assisted-by": "Assisted-by",
  "generated-by": "Generated-by",
  "co-authored-by": "Co-authored-by",
};

/** Nobody's address, by its reserved top domain: services know authors by their address, and an agent is nobody's account. */
const addressDomain = "agents.invalid";
const maxNameLength = 100;

/** Undefined for `off` and for whatever else stands there: a commit is never held up by a setting. */
export function parseCreditStyle(text: string): CreditStyle | undefined {
  const wanted = text.trim().toLowerCase();
  return (Object.keys(names) as CreditStyle[]).find((style) => style === wanted);
}

/** The trailer that names an agent, and its model where it is known: what both are called comes from outside. */
export function creditTrailer(style: CreditStyle, { tool, model }: Pick<AgentId, "tool" | "model">): string {
  const agent = printable(tool);
  const known = model === "unknown" || model === "" ? undefined : printable(model);
  if (style !== "co-authored-by") return `${names[style]}: ${agent}${known === undefined ? "" : `:${known}`}`;
  const name = known === undefined ? agent : `${agent} (${known})`;
  return `${names[style]}: ${name} <${agent}@${addressDomain}>`;
}

/** The agent that a line of a message credits in the way of `creditTrailer`; undefined for any other line. */
export function creditedAgent(line: string): string | undefined {
  const plain = /^(?:Assisted-by|Generated-by): ([^\s:<>]+)(?::[^\s<>]+)?$/.exec(line)?.[1];
  return plain ?? /^Co-authored-by: ([^\s:<>]+) (?:\([^\s<>]+\) )?<\1@agents\.invalid>$/.exec(line)?.[1];
}

function printable(name: string): string {
  return name.replaceAll(/[^\x21-\x7e]|[<>()]/g, "-").slice(0, maxNameLength);
}
