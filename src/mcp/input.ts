import { KeyframeError } from "../base/errors.ts";
import { defaultBudget } from "./budget.ts";

/** The arguments of a call, as a client sent them. */
export type ToolInput = Readonly<Record<string, unknown>>;

const maxTextLength = 4096;

/** @throws KeyframeError `invalid-input` */
export function mustText(input: ToolInput, name: string): string {
  const value = optionalText(input, name);
  if (value === undefined || value.trim() === "")
    throw new KeyframeError("invalid-input", `the argument ${name} is missing`);
  return value;
}

/** @throws KeyframeError `invalid-input` */
export function optionalText(input: ToolInput, name: string): string | undefined {
  const value = input[name];
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "string" || value.length > maxTextLength || value.includes("\0"))
    throw new KeyframeError(
      "invalid-input",
      `the argument ${name} must be text of at most ${maxTextLength} characters`,
    );
  return value;
}

/** @throws KeyframeError `invalid-input` */
export function optionalCount(input: ToolInput, name: string): number | undefined {
  const value = input[name];
  if (value === undefined || value === null) return undefined;
  // some models send numbers as text
  const number = typeof value === "string" && /^\d{1,9}$/.test(value) ? Number(value) : value;
  if (typeof number !== "number" || !Number.isInteger(number) || number < 0)
    throw new KeyframeError("invalid-input", `the argument ${name} must be a whole number, 0 or more`);
  return number;
}

export function budgetOf(input: ToolInput): number {
  return optionalCount(input, "budget") ?? defaultBudget;
}
