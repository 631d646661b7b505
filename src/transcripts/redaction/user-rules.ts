import { KeyframeError } from "../../base/errors.ts";
import type { PrefixRule } from "./rules.ts";

/** Every prefix is looked for at every character, so what they have in all is limited. */
export const maxUserRules = 64;
const maxPrefixLength = 32;
const maxRunLength = 1000;

/**
 * A user's own rule from settings. Rules are data, never expressions, so no setting can make redaction slow. A member
 * that is not known is refused: a rule that does less than its author believes lets secrets through.
 * @throws KeyframeError `invalid-input`
 */
export function parseUserRule(value: unknown): PrefixRule {
  const given = typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  const {
    name,
    prefix,
    characters = "A-Za-z0-9_-",
    minLength = 8,
    maxLength = 400,
    inside = false,
    ...others
  } = given;
  const fits =
    Object.keys(others).length === 0 &&
    typeof name === "string" &&
    /^[a-z0-9-]{1,60}$/.test(name) &&
    typeof prefix === "string" &&
    isPrefix(prefix) &&
    typeof characters === "string" &&
    isClass(characters) &&
    isLength(minLength) &&
    isLength(maxLength) &&
    minLength <= maxLength &&
    typeof inside === "boolean";
  if (!fits) {
    throw new KeyframeError(
      "invalid-input",
      `not a redaction rule: ${JSON.stringify(value)?.slice(0, 200)}`,
      {
        hint: 'a rule is {"name": "acme-key", "prefix": "acme_", "characters": "A-Za-z0-9", "minLength": 16, "maxLength": 64}',
      },
    );
  }
  return { name, prefixes: [asBytes(prefix)], characters, minLength, maxLength, inside };
}

/** @throws KeyframeError `invalid-input` for what is no list of rules, or too many of them */
export function parseUserRules(value: unknown): PrefixRule[] {
  if (!Array.isArray(value) || value.length > maxUserRules) {
    throw new KeyframeError("invalid-input", `redaction rules are a list of at most ${maxUserRules}`);
  }
  return value.map(parseUserRule);
}

function isPrefix(prefix: string): boolean {
  return prefix.length >= 2 && prefix.length <= maxPrefixLength && !/[\p{Cc}"\\]/u.test(prefix);
}

/** Texts are redacted as bytes, one character each. */
function asBytes(text: string): string {
  return Buffer.from(text).toString("latin1");
}

/** Letters, digits and a few signs, as ranges or one by one; `-` itself stands last. */
function isClass(characters: string): boolean {
  if (characters.length > 40) return false;
  if (!/^(?:[A-Za-z0-9]-[A-Za-z0-9]|[A-Za-z0-9_.+/=~:@%])+-?$/.test(characters)) return false;
  try {
    return new RegExp(`[${characters}]`).source !== "";
  } catch {
    return false; // a range out of order
  }
}

function isLength(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= maxRunLength;
}
