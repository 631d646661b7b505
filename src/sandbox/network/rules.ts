import { KeyframeError } from "../../base/errors.ts";
import { maxNetworkRuleLength } from "../limits.ts";

/** One thing that a guest may reach. `port` absent: all of them. */
export type NetworkRule =
  | { readonly kind: "public"; readonly port?: number }
  | { readonly kind: "name"; readonly name: string; readonly below: boolean; readonly port?: number }
  | { readonly kind: "range"; readonly first: number; readonly last: number; readonly port?: number };

/** Without rules of the user's: what everybody can reach, and nothing that this machine alone can. */
export const defaultNetworkRules: readonly string[] = ["public"];

/**
 * `public`, `name`, `*.name` (what is below it), `address` or `address/bits`, each with `:port` after it or not.
 * `invalid-input` for anything else.
 */
export function parseNetworkRule(text: string): NetworkRule {
  const match = /^([^:]*)(?::(\d{1,5}))?$/.exec(text);
  const target = match?.[1] ?? "";
  const port = match?.[2] === undefined ? {} : { port: Number(match[2]) };
  if (text.length <= maxNetworkRuleLength && (port.port ?? 1) >= 1 && (port.port ?? 1) <= 65535) {
    if (target === "public") return { kind: "public", ...port };
    const range = parseRange(target);
    if (range !== undefined) return { kind: "range", ...range, ...port };
    const below = target.startsWith("*.");
    const name = (below ? target.slice(2) : target).toLowerCase().replace(/\.$/, "");
    // what could be a mistyped address is no name
    if (isName(name) && !/^[\d.]+$/.test(name)) return { kind: "name", name, below, ...port };
  }
  throw new KeyframeError("invalid-input", `${JSON.stringify(text)} does not say what a guest may reach`, {
    hint: "for example example.com, *.example.com:443, 10.1.2.0/24, 127.0.0.1:8080 or public",
  });
}

/** What a sandbox's record says of a network that was asked for with these rules. @throws KeyframeError `invalid-input` */
export function networkOf(rules: readonly string[]): { readonly allow: string[] } {
  for (const rule of rules) parseNetworkRule(rule);
  return { allow: rules.length === 0 ? [...defaultNetworkRules] : [...rules] };
}

/** Whether the rules let a guest ask for a name at all: a question tells its reader something too. */
export function mayResolve(rules: readonly NetworkRule[], name: string): boolean {
  return rules.some((rule) => rule.kind === "public" || (rule.kind === "name" && covers(rule, name)));
}

export interface NetworkTarget {
  readonly address: string;
  readonly port: number;
  /** The names for which this address was given as an answer. */
  readonly names: Iterable<string>;
}

/**
 * Whether a guest may connect. A name lets it reach public addresses only: who controls a name's answers must not
 * lead it to this machine, to its network or to a cloud's metadata service. Those need a rule with their address.
 */
export function mayConnect(
  rules: readonly NetworkRule[],
  target: NetworkTarget,
  ownAddresses: readonly string[],
): boolean {
  const value = parseAddress(target.address);
  if (value === undefined) return false;
  const names = [...target.names];
  const open = isPublic(value) && !ownAddresses.includes(target.address);
  return rules.some((rule) => {
    if (rule.port !== undefined && rule.port !== target.port) return false;
    if (rule.kind === "range") return value >= rule.first && value <= rule.last;
    return open && (rule.kind === "public" || names.some((name) => covers(rule, name)));
  });
}

function covers(rule: NetworkRule & { readonly kind: "name" }, name: string): boolean {
  return rule.below ? name.endsWith(`.${rule.name}`) : name === rule.name;
}

/**
 * The ranges that IANA's registry of special-purpose IPv4 addresses does not call globally reachable; multicast; and
 * addresses that look public and are services of the cloud that a machine runs in, some with its credentials.
 */
const specialRanges = [
  "161.26.0.0/16", // IBM Cloud: private services
  "166.8.0.0/14", // IBM Cloud: endpoints of services
  "168.63.129.16", // Azure: wire server, certificates and settings of the machine
  "192.80.8.124", // Equinix Metal: metadata
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.88.99.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/3",
].flatMap((text) => parseRange(text) ?? []);

function isPublic(value: number): boolean {
  return !specialRanges.some(({ first, last }) => value >= first && value <= last);
}

function parseRange(text: string): { readonly first: number; readonly last: number } | undefined {
  const match = /^([\d.]+)(?:\/(\d{1,2}))?$/.exec(text);
  const value = parseAddress(match?.[1] ?? "");
  const bits = Number(match?.[2] ?? 32);
  if (value === undefined || bits > 32) return undefined;
  const size = 2 ** (32 - bits);
  const first = Math.floor(value / size) * size;
  return { first, last: first + size - 1 };
}

function parseAddress(text: string): number | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  const parts = match?.slice(1).map(Number) ?? [];
  if (parts.length !== 4 || parts.some((part) => part > 255)) return undefined;
  return parts.reduce((value, part) => value * 256 + part, 0);
}

/** Letters, digits, dashes and underscores in labels of at most 63, 253 in all. */
export function isName(text: string): boolean {
  return text.length <= 253 && text.split(".").every((label) => /^[a-z0-9_-]{1,63}$/i.test(label));
}
