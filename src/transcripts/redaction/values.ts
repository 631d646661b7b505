/** What stands behind a name that asks for a secret, and how. */
export interface NamedValue {
  /** What the name asks for: a password may be any word, a token seldom is. */
  readonly kind: "password" | "secret" | "token";
  /** True where the name goes on behind that word (`tokenCount`, `secretName`) and may mean something else. */
  readonly qualified: boolean;
  readonly value: string;
  /**
   * `quoted`: a literal of source, JSON or YAML; `variable`: `NAME=value` of a shell or `.env`; `tight`: `name=value` of
   * a query or an INI file, but also an argument of a call; `loose`: `name: value`, which may be a type or a sentence;
   * `flag`: `--name value`.
   */
  readonly style: "quoted" | "variable" | "tight" | "loose" | "flag";
  /** The character behind the value; empty at the end of a line. */
  readonly next: string;
}

/**
 * Whether the value is a secret. A name that asks for one wins over the shape of the value; only where the notation may be
 * code, a label or a sentence does the value have to look like a secret as well.
 */
export function isNamedSecret(named: NamedValue): boolean {
  const { kind, qualified, value, style, next } = named;
  if (isPlaceholder(value) || isDigest(value) || isForeignProse(value)) return false;
  // a call in source, whatever its name
  if ((style === "loose" || style === "tight") && /[.([]/.test(next) && /^[A-Za-z_$][\w$]*$/.test(value))
    return false;
  if (looksRandom(value) || isKeyWithSlashes(named))
    return kind !== "token" || !isUuid(value) || asksForUuid(named);
  if (qualified || isWordAboutSecrets(value) || /^\d+$/.test(value) || isUuid(value))
    return isShortSecret(named);
  const isMixed = /\d/.test(value) && /[A-Za-z]/.test(value);
  switch (style) {
    case "variable":
      return value.length >= (kind === "password" ? 4 : 6) && !isPath(value);
    case "quoted":
      if (isMixed || /[^\w\s.-]/.test(value))
        return (
          value.length >= 6 && (kind !== "token" || (isMixed && !isIdentifier(value, kind))) && !isPath(value)
        );
      return value.length >= (kind === "token" ? 16 : 8) && kind !== "token" && /^[a-z]+$/.test(value);
    case "flag":
      return (isMixed && value.length >= 6) || /^[a-z]{16,}$/.test(value);
    case "tight":
      if (/[.([,)]/.test(next) || isMemberChain(value)) return false;
      return (
        (isMixed && value.length >= 8 && !isIdentifier(value, kind)) ||
        (kind === "password" && /^[a-z]{10,}$/.test(value))
      );
    case "loose":
      if (/[.([,);]/.test(next) || isMemberChain(value)) return false;
      return (
        (isMixed && value.length >= 8 && !isIdentifier(value, kind)) ||
        (kind === "password" && /^[a-z]{16,}$/.test(value))
      );
  }
}

/** Of what has no look of a secret: a quoted number may be a password, a UUID a key where the name says so. */
function isShortSecret(named: NamedValue): boolean {
  const { kind, qualified, value, style } = named;
  if (qualified) return false;
  if (isUuid(value)) return asksForUuid(named);
  return kind === "password" && style === "quoted" && /^\d{6,}$/.test(value);
}

function asksForUuid({ kind, style }: NamedValue): boolean {
  return kind !== "token" || style === "variable" || style === "flag" || style === "tight";
}

/** A base64 key with slashes reads as a path, but no path mixes cases and digits in what has no dots or dashes. */
function isKeyWithSlashes({ kind, qualified, value }: NamedValue): boolean {
  return (
    (kind !== "token" || !qualified) &&
    /^[A-Za-z0-9+/=]{20,200}$/.test(value) &&
    (isNoiseOfLetters(value.replace(/[+/=]/g, "")) ||
      (/\d/.test(value) && /[a-z]/.test(value) && /[A-Z]/.test(value) && entropyBits(value) >= 3.8))
  );
}

/** Letters and digits without a pattern: what only a generator writes. */
export function looksRandom(value: string): boolean {
  if (value.length < 16 || isPlaceholder(value) || isDigest(value)) return false;
  if (/^[A-Za-z_]+\$\d{1,2}$/.test(value)) return false; // a name that a bundler made different
  if (isNoiseOfLetters(value)) return true;
  if (!/\d/.test(value) || !/[A-Za-z]/.test(value) || isPath(value)) return false;
  return entropyBits(value) >= (/^[0-9a-f-]+$/i.test(value) ? 3 : 3.5);
}

/** Letters whose case changes as only chance does: no words in a row write like that. */
function isNoiseOfLetters(value: string): boolean {
  if (value.length < 20 || !/^[A-Za-z]+$/.test(value)) return false;
  const rises = value.match(/[a-z](?=[A-Z])/g)?.length ?? 0;
  if (rises >= value.length / 6 && entropyBits(value) >= 3.8) return true;
  // seldom chance changes so little; names with as many capitals have them in a row
  const falls = value.match(/[A-Z](?=[a-z])/g)?.length ?? 0;
  const capitals = value.match(/[A-Z]/g)?.length ?? 0;
  return capitals >= value.length * 0.3 && rises + falls >= value.length / 4 && entropyBits(value) >= 4.2;
}

/** A path, a domain or a chain of members reads as words. */
function isPath(value: string): boolean {
  return (
    /^[A-Za-z_$][\w$-]*(?:[./][A-Za-z_$][\w$-]*)+$/.test(value) ||
    /^(?:~|\.{1,2})?\/[\w.-]+(?:\/|$)/.test(value)
  );
}

/** `config.token`: a value that source names. */
export function isMemberChain(value: string): boolean {
  return /^[A-Za-z_$][\w$]*(?:\.[A-Za-z_$][\w$]*)+$/.test(value);
}

/** `oauth2Client`, `token2`: a name of source, with a digit in it. A password may look the same. */
function isIdentifier(value: string, kind: NamedValue["kind"]): boolean {
  return kind !== "password" && /^[A-Za-z_$][A-Za-z_$-]*\d{0,2}[A-Za-z_$-]*$/.test(value);
}

/** `userPassword`, `my-secret`, `access_token`: what a program calls a secret, not one. */
function isWordAboutSecrets(value: string): boolean {
  return (
    !/\d{2}|[!@#%^*+=~]/.test(value) &&
    /pass|pwd|secret|token|key|credential|auth|user|login|value|string|required|invalid|incorrect|optional|bearer|undefined|null|false|true|none/i.test(
      value,
    )
  );
}

/** What stands where a secret would: `${TOKEN}`, `process.env.TOKEN`, `your-key-here`, `xxxx`, `REDACTED`. */
export function isPlaceholder(value: string): boolean {
  return placeholderForm.test(value) || placeholderWord.test(value) || /^(.)\1*$/.test(value);
}

const placeholderForm =
  /^\$[A-Za-z_{(]|^%[sdv({]|^%\w+%$|^[<{[(]|^\*+$|^@\w+@$|\*\*\*|^\.\.\.|\.\.\.$|^https?:\/\/|process\.env|os\.environ|getenv/i;

// random letters write such a word in mixed cases much more often than in one
const placeholderWord = new RegExp(
  ["redacted", "example", "your", "placeholder", "changeme", "dummy", "xxxx"]
    .flatMap((word) => [word, `${word.slice(0, 1).toUpperCase()}${word.slice(1)}`, word.toUpperCase()])
    .join("|"),
);

/** Text in another script than Latin, whose bytes are one character each here: a label or a sentence without spaces. */
function isForeignProse(value: string): boolean {
  return (value.match(/[\u0080-\u00ff]/g)?.length ?? 0) * 2 > value.length;
}

/** Checksums that lock files and image references carry; damaging them helps nobody. */
function isDigest(value: string): boolean {
  return /^(?:sha(?:1|224|256|384|512)[-:]|h1:|md5[-:]|blake[23][a-z]?[-:])/i.test(value);
}

function isUuid(value: string): boolean {
  return /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i.test(value);
}

/** Shannon entropy per character. */
export function entropyBits(text: string): number {
  const counts = new Map<string, number>();
  for (const char of text) counts.set(char, (counts.get(char) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) bits -= (count / text.length) * Math.log2(count / text.length);
  return bits;
}
