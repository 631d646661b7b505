import type { Terminal } from "./terminal.ts";

/** Lines of the three classes; what a bar shows. */
export interface OwnerShares {
  readonly agents: number;
  readonly humans: number;
  readonly unknown: number;
}

type Class = keyof OwnerShares;

const classes: readonly { readonly name: Class; readonly mark: string; readonly label: string }[] = [
  { name: "agents", mark: "█", label: "agents" },
  { name: "humans", mark: "▒", label: "known humans" },
  { name: "unknown", mark: "·", label: "unknown" },
];
const styles = { agents: "magenta", humans: "green", unknown: "gray" } as const;

/** A bar of `cells` cells; a class with any line has at least one. Empty where there are no lines. */
export function ownerBar(terminal: Pick<Terminal, "style">, shares: OwnerShares, cells: number): string {
  const parts = apportion(shares, cells);
  return classes.map(({ name, mark }) => terminal.style(styles[name], mark.repeat(parts[name]))).join("");
}

/** `█ agents 62%   ▒ known humans 13%   · unknown 25%`: classes without lines are left out; the parts add up to 100. */
export function ownerLegend(terminal: Pick<Terminal, "style">, shares: OwnerShares): string {
  const percent = apportion(shares, 100);
  return classes
    .filter(({ name }) => shares[name] > 0)
    .map(({ name, mark, label }) => `${terminal.style(styles[name], mark)} ${label} ${percent[name]}%`)
    .join("   ");
}

/** Whole numbers that add up to `whole`, as near to the shares as can be; at least 1 for a share that is not 0. */
export function apportion(shares: OwnerShares, whole: number): Record<Class, number> {
  const total = shares.agents + shares.humans + shares.unknown;
  const parts: Record<Class, number> = { agents: 0, humans: 0, unknown: 0 };
  if (total === 0) return parts;
  const exact = (name: Class) => (shares[name] * whole) / total;
  for (const { name } of classes) parts[name] = shares[name] === 0 ? 0 : Math.max(1, Math.floor(exact(name)));
  const remainder = () => whole - parts.agents - parts.humans - parts.unknown;
  while (remainder() !== 0) {
    const step = Math.sign(remainder());
    const present = classes.filter(({ name }) => shares[name] > 0 && (step > 0 || parts[name] > 1));
    const [worst] = present.sort(
      (a, b) => step * (exact(b.name) - parts[b.name] - exact(a.name) + parts[a.name]),
    );
    if (worst === undefined) break;
    parts[worst.name] += step;
  }
  return parts;
}
