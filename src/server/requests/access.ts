import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { KeyframeError } from "../../base/errors.ts";

/** Who may ask. */
export interface AccessRules {
  /** Undefined: whoever reaches the socket may. */
  readonly token: string | undefined;
  /**
   * Listens on loopback or a unix socket without a token: requests must name this machine, or a web page could
   * reach the server through a host name of its own (DNS rebinding).
   */
  readonly localOnly: boolean;
}

export interface RequestFacts {
  readonly host: string | undefined;
  readonly origin: string | undefined;
  /** The browser's word on where a request comes from. */
  readonly fetchSite: string | undefined;
}

/** `foreign-origin` for requests that a web page of somebody else makes. */
export function checkOrigin(rules: AccessRules, facts: RequestFacts): void {
  const host = facts.host ?? "";
  if (rules.localOnly && !isLocalHost(host)) {
    throw new KeyframeError("foreign-origin", `this server is not ${JSON.stringify(host.slice(0, 100))}`, {
      hint: "without a token, ask for it as localhost or 127.0.0.1",
    });
  }
  const crossSite = facts.fetchSite !== undefined && !["same-origin", "none"].includes(facts.fetchSite);
  const foreign = facts.origin !== undefined && hostOf(facts.origin) !== host.toLowerCase();
  if (crossSite || foreign) {
    throw new KeyframeError("foreign-origin", "requests from other web pages are not answered");
  }
}

/** `unauthorized` unless the token is the server's, or none is needed. */
export function checkToken(rules: AccessRules, token: string | undefined): void {
  if (rules.token === undefined) return;
  if (token === undefined) {
    throw new KeyframeError("unauthorized", "the request has no token", {
      hint: "send `Authorization: Bearer <token>`, or the E2B package's API key",
    });
  }
  if (!sameText(token, rules.token)) throw new KeyframeError("unauthorized", "invalid token");
}

/** In time that does not depend on where they differ, nor on their lengths. */
export function sameText(a: string, b: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}

/** Opens the inside of one sandbox and nothing else. Needs no store: any process with the home's secret makes it. */
export function sandboxToken(secret: string, sandboxId: string): string {
  return createHmac("sha256", secret).update(`sandbox token\0${sandboxId}`).digest("hex");
}

/** The token of `Authorization: Bearer <token>`. */
export function bearerToken(authorization: string | undefined): string | undefined {
  return /^Bearer +(\S+)$/i.exec(authorization ?? "")?.[1];
}

/** "localhost:7070", "3000-abc.localhost". */
function isLocalHost(host: string): boolean {
  const name = host.toLowerCase().replace(/:\d{1,5}$/, "");
  return /^(?:(?:.+\.)?localhost|127(?:\.\d{1,3}){3}|\[::1\])$/.test(name);
}

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}
