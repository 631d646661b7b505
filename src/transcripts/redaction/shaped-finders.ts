import type { Finder, Look } from "./finder.ts";
import { isPlaceholder, looksRandom } from "./values.ts";

/** Three base64url parts of a JSON web token. */
export const webTokens: Finder = { words: ["eyJ"], begin: beginWebTokens };

function beginWebTokens(): Look {
  const run = /[A-Za-z0-9_-]*/y;
  const rest = /\.eyJ[A-Za-z0-9_-]{10,8000}\.[A-Za-z0-9_-]{10,2000}/y;
  let runEnd = -1;
  return (text, at, found) => {
    if (at >= runEnd) {
      run.lastIndex = at;
      run.test(text);
      runEnd = run.lastIndex;
    }
    const length = runEnd - at - "eyJ".length;
    if (length < 10 || length > 2000) return;
    rest.lastIndex = runEnd;
    if (rest.test(text)) found.push({ start: at, end: rest.lastIndex, rule: "json-web-token" });
  };
}

/** The password of `scheme://user:password@host`. */
export const urlPasswords: Finder = {
  words: ["://"],
  begin: () => {
    const pattern = /:\/\/[^\s:/@"'\\<>]{0,100}:([^\s:/@"'\\<>]{3,200})@/y;
    return (text, at, found) => {
      pattern.lastIndex = at;
      const password = pattern.exec(text)?.[1];
      if (password === undefined || isPlaceholder(password) || nameOfPassword.test(password)) return;
      const end = pattern.lastIndex - 1;
      found.push({ start: end - password.length, end, rule: "url-password" });
    };
  },
};

/** `user:password@host`, as documentation writes it. */
const nameOfPassword = /^(?:pass(?:w(?:or)?d)?|pwd|secret)$/i;

/** The credentials of an HTTP `Authorization` header. */
export const authorizations: Finder = {
  words: ["Bearer ", "bearer ", "BEARER ", "Basic ", "basic ", "Token ", "token "],
  begin: () => {
    const pattern = /[A-Za-z]{5,6} {1,4}([A-Za-z0-9+/=._~-]{16,2000})/y;
    return (text, at, found) => {
      pattern.lastIndex = at;
      const run = pattern.exec(text)?.[1];
      const credentials = run?.replace(/\.+$/, "");
      if (run === undefined || credentials === undefined || !looksRandom(credentials)) return;
      const start = pattern.lastIndex - run.length;
      found.push({ start, end: start + credentials.length, rule: "authorization" });
    };
  },
};
