import { KeyframeError } from "../base/errors.ts";

/** Lower-case hex object id: 40 digits (SHA-1) or 64 (SHA-256). */
export type Oid = string & { readonly brand: "Oid" };

/** Path inside a repository: "/" separators, no leading slash, bytes as git keeps them (UTF-8 where they are). */
export type RepoPath = string & { readonly brand: "RepoPath" };

const oidPattern = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;

export function isOid(text: string): text is Oid {
  return oidPattern.test(text);
}

/** The id that means "nothing" in hooks, reflogs and ref updates. */
export function isNullOid(oid: string): boolean {
  return /^0+$/.test(oid);
}

export function nullOidLike(oid: Oid): Oid {
  return "0".repeat(oid.length) as Oid;
}

export function nullOid(format: "sha1" | "sha256"): Oid {
  return "0".repeat(format === "sha1" ? 40 : 64) as Oid;
}

/** Id of the empty tree in the repository's object format. */
export function emptyTreeOid(like: Oid): Oid {
  return (
    like.length === 40
      ? "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
      : "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321"
  ) as Oid;
}

/** A path from outside as a path inside the repository. @throws KeyframeError `refused` if it would leave it */
export function parseRepoPath(text: string): RepoPath {
  const parts = text.split("/");
  if (
    text === "" ||
    parts.some((part) => part === "" || part === "." || part === "..") ||
    text.includes("\0")
  ) {
    throw new KeyframeError(
      "refused",
      `not a path inside the repository: ${JSON.stringify(text.slice(0, 200))}`,
    );
  }
  return text as RepoPath;
}
