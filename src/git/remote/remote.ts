import { sha256Hex } from "../../base/digest.ts";
import { errorText, KeyframeError } from "../../base/errors.ts";
import type { Git } from "../git.ts";

/** Another repository, reached by URL so that fetching and pushing changes nothing of what the user configured. */
export interface Remote {
  /** The configured name; for a bare URL the URL without its secrets. */
  readonly name: string;
  readonly configured: boolean;
  /** As configured: git itself applies `url.<base>.insteadOf`. */
  readonly fetchUrl: string;
  readonly pushUrl: string;
  /** `git push` goes there too; notes and checkpoints go to the first alone. */
  readonly furtherPushUrls: readonly string[];
  /** Names the remote in files and refs: 16 hex digits. */
  readonly key: string;
  /** `core.sshCommand`. */
  readonly sshCommand: string | undefined;
}

interface RemoteUrls {
  /** In the order of the configuration. */
  readonly fetch: string[];
  readonly push: string[];
}

interface RemoteSettings {
  readonly urls: ReadonlyMap<string, RemoteUrls>;
  readonly sshCommand: string | undefined;
  /** `keyframe.remote`: where checkpoints go, if it is not the usual one. */
  readonly elected: string | undefined;
}

/**
 * The remote that a word means: a configured name or a URL. Without a word the one that checkpoints belong to:
 * `keyframe.remote`, else `origin`, else the only one.
 * @throws KeyframeError `not-found`
 */
export async function resolveRemote(git: Git, word?: string): Promise<Remote> {
  const settings = await readSettings(git);
  const name = word ?? electedName(settings);
  if (name === undefined) {
    throw new KeyframeError(
      "not-found",
      settings.urls.size === 0
        ? "this repository has no remote"
        : `which remote? ${[...settings.urls.keys()].join(", ")}`,
      { hint: "name one, or set it for good: `git config keyframe.remote <name>`" },
    );
  }
  return toRemote(name, settings);
}

/** The remote that checkpoints belong to; undefined where there is none, or several and no choice was made. */
export async function findElectedRemote(git: Git): Promise<Remote | undefined> {
  const settings = await readSettings(git);
  const name = electedName(settings);
  return name === undefined || !settings.urls.has(name) ? undefined : toRemote(name, settings);
}

function electedName({ urls, elected }: RemoteSettings): string | undefined {
  // a choice that names nothing is no reason to send transcripts somewhere else
  if (elected !== undefined) return elected;
  if (urls.has("origin")) return "origin";
  return urls.size === 1 ? [...urls.keys()][0] : undefined;
}

function toRemote(word: string, { urls, sshCommand }: RemoteSettings): Remote {
  const known = urls.get(word);
  if (known?.fetch[0] === undefined && !/[:/\\]/.test(word)) {
    throw new KeyframeError("not-found", `no remote is called ${word}`, {
      hint: `known remotes: ${[...urls.keys()].join(", ") || "none"}. A URL also works`,
    });
  }
  if (word.startsWith("-")) throw new KeyframeError("invalid-input", `not a remote: ${word}`);
  // of several URLs the first counts for fetching, as in git
  const fetchUrl = known?.fetch[0] ?? word;
  const [pushUrl = fetchUrl, ...furtherPushUrls] =
    (known?.push.length ?? 0) > 0 ? (known?.push ?? []) : (known?.fetch ?? []);
  const name = known === undefined ? errorText(word) : word;
  return {
    name,
    configured: known !== undefined,
    fetchUrl,
    pushUrl,
    furtherPushUrls,
    key: sha256Hex(word).slice(0, 16),
    sshCommand,
  };
}

async function readSettings(git: Git): Promise<RemoteSettings> {
  const pattern = String.raw`^(remote\..*\.(url|pushurl)|core\.sshcommand|keyframe\.remote)$`;
  // 1: nothing of it is configured
  const { stdout } = await git.run(["config", "-z", "--get-regexp", pattern], { okCodes: [0, 1] });
  const urls = new Map<string, RemoteUrls>();
  let sshCommand: string | undefined;
  let elected: string | undefined;
  for (const entry of stdout.toString("utf8").split("\0")) {
    const end = entry.indexOf("\n");
    const [key, value] = [entry.slice(0, end), entry.slice(end + 1)];
    if (key === "core.sshcommand") sshCommand = value;
    if (key === "keyframe.remote") elected = value;
    const match = /^remote\.(.+)\.(url|pushurl)$/s.exec(key);
    if (match?.[1] === undefined) continue;
    const found = urls.get(match[1]) ?? { fetch: [], push: [] };
    (match[2] === "url" ? found.fetch : found.push).push(value);
    urls.set(match[1], found);
  }
  return { urls, sshCommand, elected };
}
