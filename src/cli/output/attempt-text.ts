import type { EarlierAttempt } from "../../workflows/ask/earlier-attempts.ts";
import { printable } from "./terminal.ts";

/** One line of what was tried and not kept. */
export function describeAttempt({ id, at, by, outcome }: EarlierAttempt): string {
  return `tried on ${at.slice(0, 10)} by ${printable(by)} (${printable(id)}): ${printable(outcome)}`;
}
