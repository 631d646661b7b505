import type { Span } from "./matchers.ts";
import { isPlaceholder } from "./values.ts";

/** Passwords where a program takes them without a name: command lines, `.netrc`, cookies, Docker's and Azure's forms. */
export function matchPlacedSecrets(text: string): Generator<Span> {
  return placedSecrets(text, places);
}

/** The same in plain text of several lines. */
export function* matchPlacedSecretsAcrossLines(text: string): Generator<Span> {
  yield* placedSecrets(text, places);
  yield* placedSecrets(text, placesAcrossLines);
}

function* placedSecrets(text: string, known: ReadonlyMap<string, readonly Place[]>): Generator<Span> {
  const search = new RegExp(anyKeyword);
  for (let hit = search.exec(text); hit !== null; hit = search.exec(text)) {
    if (hit[0] === "ookie") {
      yield* matchCookies(text, hit.index);
      continue;
    }
    for (const { pattern, accepts } of known.get(hit[0].replace(/\\/g, "")) ?? []) {
      pattern.lastIndex = hit.index;
      const match = pattern.exec(text);
      const value = match?.[1] ?? "";
      if (match === null || isPlaceholder(value) || !accepts(value)) continue;
      const end = hit.index + match[0].length;
      yield { start: end - value.length, end, rule: "placed" };
    }
  }
}

/** One pass finds where to look closer. */
const anyKeyword =
  /curl |sshpass |mysql|mariadb|login|auth\\{0,7}"|_auth|[Bb]asic |uthorization|[Xx]-A(?:pi|uth|ccess)-|[Xx]-a(?:pi|uth|ccess)-|sig=|ookie/g;

interface Place {
  /** From the keyword on. The secret is the first group, and the last thing matched; every run is bounded. */
  readonly pattern: RegExp;
  readonly accepts: (value: string) => boolean;
}

const any = () => true;

// curl -u name:password
const curlUser: Place = {
  pattern: /curl [^\n|;]{0,300}?(?<= )(?:-u|--user)[ =]?\\{0,7}["']?[^\s:"'\\]{1,100}:([^\s"'\\]{3,200})/y,
  accepts: (value) => !/^\d{1,5}$/.test(value),
};
const sshpass: Place = { pattern: /sshpass +-p ?\\{0,7}["']?([^\s"'\\]{3,200})/y, accepts: any };
const mysqlPassword: Place = {
  pattern: /(?:mysql|mariadb)[\w-]{0,10} [^\n|;]{0,200}?(?<= )-p([^\s"'\\]{3,200})/y,
  accepts: any,
};
// .netrc on one line, its newlines escaped or spaces
const netrc: Place = {
  pattern:
    /login(?:[ \t]|\\+n){1,4}[^\s\\]{1,200}(?:[ \t]|\\+n){1,8}password(?:[ \t]|\\+n){1,4}([^\s"'\\]{3,200})/y,
  accepts: any,
};
const netrcAcrossLines: Place = {
  pattern: /login\s{1,4}\S{1,200}\s{1,8}password\s{1,4}(\S{3,200})/y,
  accepts: any,
};
// Docker's config.json and npm's _auth: base64 of name:password
const dockerAuth: Place = {
  pattern: /auth\\{0,7}"[ \t]{0,4}:[ \t]{0,4}\\{0,7}"([A-Za-z0-9+/=]{8,400})/y,
  accepts: isBasicAuth,
};
const npmAuth: Place = {
  pattern: /_auth[ \t]{0,4}=[ \t]{0,4}\\{0,7}"?([A-Za-z0-9+/=]{8,400})/y,
  accepts: isBasicAuth,
};
const basic: Place = { pattern: /[Bb]asic {1,4}([A-Za-z0-9+/]{6,400}={0,2})/y, accepts: isBasicAuth };
const authorization: Place = {
  pattern:
    /uthorization\\{0,7}["']?[ \t]{0,4}[:=][ \t]{0,4}\\{0,7}["']?(?:[Bb]earer|[Tt]oken) {1,4}([A-Za-z0-9+/=._~-]{8,2000})/y,
  accepts: any,
};
const keyHeader: Place = {
  pattern:
    /[Xx]-\w{3,6}-(?:[Kk]ey|[Tt]oken)\\{0,7}["']?[ \t]{0,4}[:=][ \t]{0,4}\\{0,7}["']?([A-Za-z0-9+/=._~-]{8,2000})/y,
  accepts: any,
};
// the signature of a shared access link
const sharedAccess: Place = { pattern: /(?<=[?&])sig=([A-Za-z0-9%+/=_-]{30,200})/y, accepts: any };

const headers = ["pi", "uth", "ccess"].flatMap((word) =>
  ["X-A", "x-A", "X-a", "x-a"].map((head): [string, readonly Place[]] => [`${head}${word}-`, [keyHeader]]),
);

const places: ReadonlyMap<string, readonly Place[]> = new Map<string, readonly Place[]>([
  ["curl ", [curlUser]],
  ["sshpass ", [sshpass]],
  ["mysql", [mysqlPassword]],
  ["mariadb", [mysqlPassword]],
  ["login", [netrc]],
  ['auth"', [dockerAuth]],
  ["_auth", [npmAuth]],
  ["Basic ", [basic]],
  ["basic ", [basic]],
  ["uthorization", [authorization]],
  ["sig=", [sharedAccess]],
  ...headers,
]);
const placesAcrossLines: ReadonlyMap<string, readonly Place[]> = new Map([["login", [netrcAcrossLines]]]);

/** True for base64 of printable `name:password`. */
function isBasicAuth(value: string): boolean {
  const plain = Buffer.from(value, "base64").toString("latin1");
  return /^[\x20-\x7e]{0,100}:[\x20-\x7e]{3,300}$/.test(plain);
}

const cookieHeader = /ookie\\{0,7}["']?[:=] {0,4}\\{0,7}["']?([^\n"'\\]{8,4000})/y;
const sessionCookie =
  /(?:^|[;,][ \t]{0,4})((?:[\w.-]{0,60}(?:sess|sid|auth|token|jwt|login|remember|csrf|xsrf)[\w.-]{0,60}))=([^;,\s]{8,2000})/gi;

/** Cookies that log somebody in, in what a request or a browser shows. */
function* matchCookies(text: string, at: number): Generator<Span> {
  cookieHeader.lastIndex = at;
  const header = cookieHeader.exec(text);
  if (header === null) return;
  const content = header[1] ?? "";
  const from = at + header[0].length - content.length;
  const cookies = new RegExp(sessionCookie);
  for (let cookie = cookies.exec(content); cookie !== null; cookie = cookies.exec(content)) {
    const value = cookie[2] ?? "";
    const end = from + cookie.index + cookie[0].length;
    if (!isPlaceholder(value)) yield { start: end - value.length, end, rule: "cookie" };
  }
}
