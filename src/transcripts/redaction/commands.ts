import type { Finder, Span } from "./finder.ts";
import { isMemberChain, isPlaceholder } from "./values.ts";

/** Passwords where a program takes them without a name: command lines, `.netrc`, cookies, Docker's and Azure's forms. */
export function createPlaceFinders({ acrossLines }: { readonly acrossLines: boolean }): Finder[] {
  const known = acrossLines ? [...places, ...placesAcrossLines] : places;
  const atWords = known.flatMap(({ words, ...place }) => words.map((word) => createPlaceFinder(word, place)));
  return [...atWords, cookies];
}

function createPlaceFinder(word: string, { pattern, accepts }: Omit<Place, "words">): Finder {
  return {
    words: [word],
    begin: () => (text, at, found) => {
      pattern.lastIndex = at;
      const value = pattern.exec(text)?.[1];
      if (value === undefined || isPlaceholder(value) || !accepts(value)) return;
      const end = pattern.lastIndex;
      found.push({ start: end - value.length, end, rule: "placed" });
    },
  };
}

interface Place {
  /** What the pattern begins with. */
  readonly words: readonly string[];
  /** From the keyword on. The secret is the first group, and the last thing matched; every run is bounded. */
  readonly pattern: RegExp;
  readonly accepts: (value: string) => boolean;
}

const any = () => true;

// curl -u name:password
const curlUser: Place = {
  words: ["curl "],
  pattern: /curl [^\n|;]{0,300}?(?<= )(?:-u|--user)[ =]?\\{0,7}["']?[^\s:"'\\]{1,100}:([^\s"'\\]{3,200})/y,
  accepts: (value) => !/^\d{1,5}$/.test(value),
};
const sshpass: Place = {
  words: ["sshpass "],
  pattern: /sshpass +-p ?\\{0,7}["']?([^\s"'\\]{3,200})/y,
  accepts: any,
};
const mysqlPassword: Place = {
  words: ["mysql", "mariadb"],
  pattern: /(?:mysql|mariadb)[\w-]{0,10} [^\n|;]{0,200}?(?<= )-p([^\s"'\\]{3,200})/y,
  accepts: any,
};
// .netrc on one line, its newlines escaped or spaces
const netrc: Place = {
  words: ["login"],
  pattern:
    /login(?:[ \t]|\\+n){1,4}[^\s\\]{1,200}(?:[ \t]|\\+n){1,8}password(?:[ \t]|\\+n){1,4}([^\s"'\\]{3,200})/y,
  accepts: any,
};
const netrcAcrossLines: Place = {
  words: ["login"],
  pattern: /login\s{1,4}\S{1,200}\s{1,8}password\s{1,4}(\S{3,200})/y,
  accepts: any,
};
// Docker's config.json and npm's _auth: base64 of name:password
const dockerAuth: Place = {
  words: ['auth"', "auth\\"],
  pattern: /auth\\{0,7}"[ \t]{0,4}:[ \t]{0,4}\\{0,7}"([A-Za-z0-9+/=]{8,400})/y,
  accepts: isBasicAuth,
};
const npmAuth: Place = {
  words: ["_auth"],
  pattern: /_auth[ \t]{0,4}=[ \t]{0,4}\\{0,7}"?([A-Za-z0-9+/=]{8,400})/y,
  accepts: isBasicAuth,
};
const basic: Place = {
  words: ["Basic ", "basic "],
  pattern: /[Bb]asic {1,4}([A-Za-z0-9+/]{6,400}={0,2})/y,
  accepts: isBasicAuth,
};
const authorization: Place = {
  words: ["uthorization"],
  pattern:
    /uthorization\\{0,7}["']?[ \t]{0,4}[:=][ \t]{0,4}\\{0,7}["']?(?:[Bb]earer|[Tt]oken) {1,4}([A-Za-z0-9+/=._~-]{8,2000})/y,
  accepts: any,
};
const headerWords = ["pi", "uth", "ccess"].flatMap((word) =>
  ["X-A", "x-A", "X-a", "x-a"].map((head) => `${head}${word}-`),
);
const keyHeader: Place = {
  words: headerWords,
  pattern:
    /[Xx]-\w{3,6}-(?:[Kk]ey|[Tt]oken)\\{0,7}["']?[ \t]{0,4}[:=][ \t]{0,4}\\{0,7}["']?([A-Za-z0-9+/=._~-]{8,2000})/y,
  accepts: (value) => !isMemberChain(value),
};
// the signature of a shared access link
const sharedAccess: Place = {
  words: ["sig="],
  pattern: /(?<=[?&])sig=([A-Za-z0-9%+/=_-]{30,200})/y,
  accepts: any,
};

const places: readonly Place[] = [
  curlUser,
  sshpass,
  mysqlPassword,
  netrc,
  dockerAuth,
  npmAuth,
  basic,
  authorization,
  keyHeader,
  sharedAccess,
];
const placesAcrossLines: readonly Place[] = [netrcAcrossLines];

/** True for base64 of printable `name:password`. */
function isBasicAuth(value: string): boolean {
  const plain = Buffer.from(value, "base64").toString("latin1");
  return /^[\x20-\x7e]{0,100}:[\x20-\x7e]{3,300}$/.test(plain);
}

/** Cookies that log somebody in, in what a request or a browser shows. */
const cookies: Finder = { words: ["ookie"], begin: () => findCookies };

const cookieHeader = /ookie\\{0,7}["']?[:=] {0,4}\\{0,7}["']?([^\n"'\\]{8,4000})/y;
const sessionCookie =
  /(?:^|[;,][ \t]{0,4})((?:[\w.-]{0,60}(?:sess|sid|auth|token|jwt|login|remember|csrf|xsrf)[\w.-]{0,60}))=([^;,\s]{8,2000})/gi;

function findCookies(text: string, at: number, found: Span[]): void {
  cookieHeader.lastIndex = at;
  const content = cookieHeader.exec(text)?.[1];
  if (content === undefined) return;
  const from = cookieHeader.lastIndex - content.length;
  for (const cookie of content.matchAll(sessionCookie)) {
    const value = cookie[2] ?? "";
    const end = from + cookie.index + cookie[0].length;
    if (!isPlaceholder(value)) found.push({ start: end - value.length, end, rule: "cookie" });
  }
}
