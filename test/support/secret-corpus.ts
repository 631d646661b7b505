import type { Random } from "../../src/system/random.ts";

/** Secrets of many kinds in every place where a transcript can hold them, made up as needed. */
export interface PlantedSecret {
  readonly kind: string;
  readonly place: string;
  readonly secret: string;
  /** One line of a transcript with the secret in it. */
  readonly line: string;
}

type Draw = (count: number, alphabet: string) => string;

const lower = "abcdefghijklmnopqrstuvwxyz";
const upper = lower.toUpperCase();
const digits = "0123456789";
const letters = lower + upper;
const alnum = letters + digits;
const hex = `${digits}abcdef`;

/** Secrets that are found by what they look like, wherever they stand. */
const shaped: Readonly<Record<string, (draw: Draw) => string>> = {
  "aws key id": (draw) => `AKIA${draw(16, upper + digits)}`,
  anthropic: (draw) => `sk-${"ant-"}api03-${draw(93, `${alnum}-_`)}AA`,
  openai: (draw) => `sk-${"proj-"}${draw(74, `${alnum}-_`)}`,
  github: (draw) => `ghp${"_"}${draw(36, alnum)}`,
  "github fine": (draw) => `github${"_pat_"}${draw(22, alnum)}_${draw(59, alnum)}`,
  gitlab: (draw) => `glpat${"-"}${draw(20, `${alnum}-_`)}`,
  slack: (draw) => `xoxb${"-"}${draw(12, digits)}-${draw(12, digits)}-${draw(24, alnum)}`,
  google: (draw) => `AIza${draw(35, `${alnum}-_`)}`,
  stripe: (draw) => `sk_live${"_"}${draw(24, alnum)}`,
  npm: (draw) => `npm${"_"}${draw(36, alnum)}`,
  huggingface: (draw) => `hf${"_"}${draw(34, letters)}`,
  supabase: (draw) => `sbp${"_"}${draw(40, hex)}`,
  groq: (draw) => `gsk${"_"}${draw(52, alnum)}`,
  xai: (draw) => `xai${"-"}${draw(80, alnum)}`,
  notion: (draw) => `ntn${"_"}${draw(46, alnum)}`,
  postman: (draw) => `PMAK${"-"}${draw(24, hex)}-${draw(34, hex)}`,
  atlassian: (draw) => `ATATT3${"xFfGF0"}${draw(180, `${alnum}-_`)}=${draw(8, "ABCDEF0123456789")}`,
  "vercel blob": (draw) => `vercel_blob${"_rw_"}${draw(16, alnum)}_${draw(30, alnum)}`,
  mailgun: (draw) => `key${"-"}${draw(32, hex)}`,
  fly: (draw) => `fm2${"_"}${draw(200, `${alnum}+/`)}`,
  sendgrid: (draw) => `SG${"."}${draw(22, `${alnum}-_`)}.${draw(43, `${alnum}-_`)}`,
  docker: (draw) => `dckr${"_pat_"}${draw(27, `${alnum}-_`)}`,
  "web token": (draw) => `eyJ${draw(33, alnum)}.eyJ${draw(80, alnum)}.${draw(43, `${alnum}-_`)}`,
  "discord webhook": (draw) => `discord.com/api/webhooks/${draw(18, digits)}/${draw(68, `${alnum}-_`)}`,
  digitalocean: (draw) => `dop_v1${"_"}${draw(64, hex)}`,
};

/** Secrets that only their name gives away, with the names that they go by. */
const named: Readonly<
  Record<string, { readonly names: readonly string[]; readonly make: (draw: Draw) => string }>
> = {
  "aws secret": {
    names: ["AWS_SECRET_ACCESS_KEY", "aws_secret_access_key", "secretAccessKey", "client_secret"],
    make: (draw) => draw(40, `${alnum}/+`),
  },
  "uuid key": {
    names: ["HEROKU_API_KEY", "api_key", "client_secret", "apiKey"],
    make: (draw) => [8, 4, 4, 4, 12].map((length) => draw(length, hex)).join("-"),
  },
  "hex key": { names: ["API_KEY", "api-key", "secret_key", "ENCRYPTION_KEY"], make: (draw) => draw(32, hex) },
  token: { names: ["AUTH_TOKEN", "access_token", "authToken", "bot-token"], make: (draw) => draw(40, alnum) },
  "short token": {
    names: ["AUTH_TOKEN", "API_TOKEN", "access_token"],
    make: (draw) => `${draw(9, alnum)}${draw(3, digits)}`,
  },
  "short secret": {
    names: ["CLIENT_SECRET", "client_secret", "JWT_SECRET"],
    make: (draw) => `${draw(8, alnum)}${draw(3, digits)}`,
  },
  password: {
    names: ["DB_PASSWORD", "password", "userPassword", "DB_PASS"],
    make: (draw) => `${draw(8, alnum)}${draw(1, lower)}${draw(2, digits)}`,
  },
  "password with signs": {
    names: ["DB_PASSWORD", "password", "passwd", "PGPASSWORD"],
    make: (draw) =>
      `${draw(4, alnum)}${draw(2, "!@#%^*+=")}${draw(5, alnum)}${draw(1, lower)}${draw(1, digits)}`,
  },
  "password of words": {
    names: ["DB_PASSWORD", "password", "passphrase", "DB_PASS"],
    make: (draw) => Array.from({ length: 4 }, () => words[Number(draw(1, digits))]).join(""),
  },
};

const words = [
  "correct",
  "horse",
  "battery",
  "staple",
  "orange",
  "winter",
  "marble",
  "copper",
  "velvet",
  "harbor",
];

type Write = (name: string, value: string) => string;

const assignments: Readonly<Record<string, Write>> = {
  shell: (name, value) => `export ${name}=${value}`,
  "shell, quoted": (name, value) => `${name}="${value}" npm start`,
  "env file": (name, value) => `# settings\n${name}=${value}\nPORT=80\n`,
  JSON: (name, value) => JSON.stringify({ host: "db", [name]: value, port: 1 }),
  "escaped JSON": (name, value) => JSON.stringify(JSON.stringify({ [name]: value, port: 1 })),
  "YAML, quoted": (name, value) => `app:\n  ${name}: "${value}"\n  port: 1\n`,
  YAML: (name, value) => `app:\n  ${name}: ${value}\n  port: 1\n`,
  "INI file": (name, value) => `[app]\n${name} = ${value}\n`,
  source: (name, value) => `const ${name.replace(/-/g, "_")} = '${value}';`,
  flag: (name, value) => `app --${name.toLowerCase().replace(/_/g, "-")} ${value} --verbose`,
  "flag, joined": (name, value) => `app --${name.toLowerCase().replace(/_/g, "-")}=${value}`,
  query: (name, value) => `GET https://example.org/v1?a=1&${name}=${encodeURIComponent(value)}&b=2`,
  heredoc: (name, value) => `cat >.env <<EOF\n${name}=${value}\nEOF`,
  "diff line": (name, value) => `@@ -1 +1,2 @@\n PORT=80\n+${name}=${value}\n`,
};

/** Where a shape does not depend on a name. */
const sentences: Readonly<Record<string, (value: string) => string>> = {
  sentence: (value) => `use ${value} for this, please.`,
  quoted: (value) => `it is "${value}"`,
  "JSON value": (value) => JSON.stringify({ a: [value] }),
  "escaped JSON": (value) => JSON.stringify(JSON.stringify({ a: value })),
  header: (value) => `Authorization: Bearer ${value}`,
  "diff line": (value) => `+  key: ${value}`,
  "numbered line": (value) => `     7→${value}`,
  "first of a line": (value) => `one\n${value}\ntwo`,
};

/** Passwords where a program takes them by place. */
const placed: Readonly<
  Record<string, { readonly make: (draw: Draw) => string; readonly write: (value: string) => string }>
> = {
  "curl -u": { make: passwordOf, write: (value) => `curl -s -u admin:${value} https://example.org` },
  "mysql -p": { make: passwordOf, write: (value) => `mysql -u root -p${value} app` },
  "sshpass -p": { make: passwordOf, write: (value) => `sshpass -p '${value}' ssh host` },
  netrc: { make: passwordOf, write: (value) => `machine example.org login me password ${value}` },
  "netrc, lines": {
    make: passwordOf,
    write: (value) => `machine example.org\n  login me\n  password ${value}\n`,
  },
  "URL password": { make: passwordOf, write: (value) => `postgres://app:${value}@db:5432/app` },
  "docker auth": { make: basicOf, write: (value) => `{"auths": {"ghcr.io": {"auth": "${value}"}}}` },
  "npm auth": { make: basicOf, write: (value) => `//registry.npmjs.org/:_auth=${value}` },
  "basic header": { make: basicOf, write: (value) => `Authorization: Basic ${value}` },
  "bearer header": {
    make: (draw) => draw(24, letters),
    write: (value) => `-H 'Authorization: Bearer ${value}'`,
  },
  "key header": { make: (draw) => draw(20, alnum), write: (value) => `-H "X-Api-Key: ${value}"` },
  "session cookie": {
    make: (draw) => draw(26, lower + digits),
    write: (value) => `Cookie: lang=en; PHPSESSID=${value}; x=1`,
  },
  "set-cookie": {
    make: (draw) => draw(40, `${alnum}%.`),
    write: (value) => `Set-Cookie: connect.sid=s%3A${value}; Path=/`,
  },
  "shared access": {
    make: (draw) => `${draw(42, alnum)}%3D`,
    write: (value) => `https://a.blob.core.windows.net/c?sv=2024&sig=${value}&se=1`,
  },
  "aws configure": {
    make: (draw) => draw(40, `${alnum}/+`),
    write: (value) => `AWS Secret Access Key [None]: ${value}`,
  },
  "npm token": {
    make: (draw) => [8, 4, 4, 4, 12].map((n) => draw(n, hex)).join("-"),
    write: (value) => `//registry.npmjs.org/:_authToken=${value}`,
  },
};

function passwordOf(draw: Draw): string {
  return `${draw(8, alnum)}${draw(1, lower)}${draw(2, digits)}`;
}

function basicOf(draw: Draw): string {
  return Buffer.from(`user${draw(3, digits)}:${passwordOf(draw)}`).toString("base64");
}

/** `perPlace` secrets of each kind in each place, each as a line of JSON as agents write tool results. */
export function* plantSecrets(random: Random, perPlace: number): Generator<PlantedSecret> {
  const draw: Draw = (count, alphabet) =>
    Array.from(random.bytes(count), (byte) => alphabet[byte % alphabet.length] ?? "").join("");
  const record = (text: string) =>
    JSON.stringify({ type: "user", message: { content: [{ type: "tool_result", content: text }] } });
  for (let round = 0; round < perPlace; round += 1) {
    for (const [kind, make] of Object.entries(shaped)) {
      for (const [place, write] of Object.entries(sentences)) {
        const secret = make(draw);
        yield { kind, place, secret, line: record(write(secret)) };
      }
    }
    for (const [kind, { names, make }] of Object.entries(named)) {
      for (const [place, write] of Object.entries(assignments)) {
        const secret = make(draw);
        const name = names[round % names.length] ?? "";
        yield { kind, place, secret: written(place, secret), line: record(write(name, secret)) };
      }
    }
    for (const [kind, { make, write }] of Object.entries(placed)) {
      const secret = make(draw);
      yield { kind, place: "its own", secret, line: record(write(secret)) };
    }
  }
}

function written(place: string, secret: string): string {
  return place === "query" ? encodeURIComponent(secret) : secret;
}

/** A secret of which more than a third of the letters in a row are left can be told. */
export function isReadable(secret: string, text: string): boolean {
  const length = Math.max(6, Math.ceil(secret.length / 3));
  for (let at = 0; at + length <= secret.length; at += 1)
    if (text.includes(secret.slice(at, at + length))) return true;
  return false;
}
