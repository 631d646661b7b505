import type { JSX } from "preact";
import type { Owner } from "./answers.ts";

const hues = 8;

/** A class that gives an owner its colour; the same name always the same one. */
export function ownerClass(owner: Owner | undefined): string {
  if (owner === undefined) return "owner unknown";
  if (owner.kind === "human") return "owner human";
  let sum = 0;
  for (const character of `${owner.name}${owner.session ?? ""}`)
    sum = (sum * 31 + (character.codePointAt(0) ?? 0)) >>> 0;
  return `owner agent agent-${sum % hues}`;
}

export function OwnerName({ owner }: { readonly owner: Owner | undefined }): JSX.Element {
  return (
    <span class={ownerClass(owner)} title={owner?.prompt ?? owner?.session ?? ""}>
      {owner === undefined ? "unknown" : owner.name}
    </span>
  );
}

/** Share of agents, people and unknown as one bar. */
export function ShareBar({
  agents,
  humans,
  unknown,
}: {
  readonly agents: number;
  readonly humans: number;
  readonly unknown: number;
}): JSX.Element {
  const total = agents + humans + unknown;
  const share = (part: number) => (total === 0 ? 0 : Math.round((part / total) * 1000) / 10);
  const text = `agents ${share(agents)} %, people ${share(humans)} %, unknown ${share(unknown)} %`;
  return (
    <svg class="share" viewBox="0 0 100 4" preserveAspectRatio="none" role="img" aria-label={text}>
      <title>{text}</title>
      <rect class="agents" width={share(agents)} height="4" />
      <rect class="humans" x={share(agents)} width={share(humans)} height="4" />
      <rect class="unknown" x={share(agents) + share(humans)} width={share(unknown)} height="4" />
    </svg>
  );
}
