import { KeyframeError } from "../../base/errors.ts";
import type { ReportFacts } from "./report-facts.ts";

const measures = ["unknown", "agents", "humans"] as const;

export interface Gate {
  readonly measure: (typeof measures)[number];
  readonly sign: ">" | ">=" | "<" | "<=";
  readonly value: number;
  readonly isShare: boolean;
}

/** `unknown>50%`, `agents>=400`: a number of added lines, or their share. @throws KeyframeError `usage` */
export function parseGate(text: string): Gate {
  const match = /^\s*([a-z]+)\s*(>=|<=|>|<)\s*(\d{1,9}(?:\.\d{1,3})?)\s*(%?)\s*$/.exec(text);
  const measure = measures.find((each) => each === match?.[1]);
  if (match === null || measure === undefined)
    throw new KeyframeError("usage", `${JSON.stringify(text)} is not a condition`, {
      hint: `write it as 'unknown>50%'; there are ${measures.join(", ")}`,
    });
  return { measure, sign: match[2] as Gate["sign"], value: Number(match[3]), isShare: match[4] === "%" };
}

/** A sentence if the condition holds; nothing holds of a range that adds no lines. */
export function failureOf(gate: Gate, { total }: Pick<ReportFacts, "total">): string | undefined {
  if (total.added === 0) return undefined;
  const lines = total[gate.measure];
  const actual = gate.isShare ? (100 * lines) / total.added : lines;
  const holds = {
    ">": actual > gate.value,
    ">=": actual >= gate.value,
    "<": actual < gate.value,
    "<=": actual <= gate.value,
  }[gate.sign];
  const unit = gate.isShare ? " %" : " lines";
  return holds
    ? `${gate.measure}: ${Math.round(actual * 10) / 10}${unit}, and the limit is ${gate.sign} ${gate.value}${unit}`
    : undefined;
}
