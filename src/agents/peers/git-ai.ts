import { KeyframeError } from "../../base/errors.ts";
import { insertJson, jsonMember, jsonValue, removeJson } from "../settings/json-text.ts";
import { mustBeSettings, readSettings, resetSetting, setSetting } from "./peer-settings.ts";

/** Its settings, from the home. */
export const gitAiSettings = ".git-ai/config.json";

/** Where it puts the hooks of agents, from the home. */
export const gitAiHookFiles: readonly string[] = [
  ".claude/settings.json",
  ".codex/config.toml",
  ".codex/hooks.json",
  ".cursor/hooks.json",
  ".gemini/settings.json",
  ".copilot/hooks/git-ai.json",
  ".factory/settings.json",
  ".codeium/windsurf/hooks.json",
  ".config/opencode/plugins/git-ai.ts",
];

const excluded = "exclude_repositories";
const allowed = "allow_repositories";

/** True for a settings file of an agent that starts git-ai. */
export function startsGitAi(text: string): boolean {
  return /(?:^|[\s/'"\\])git-ai(?:\.exe)?[\\'"]*[\s,'"[]+checkpoint[\s,'"]/m.test(text);
}

/** True if git tells the daemon of git-ai what it does: a value of `trace2.eventTarget`. */
export function isGitAiTarget(eventTarget: string): boolean {
  return /[/\\]\.git-ai[/\\]/.test(eventTarget);
}

/** Whether it records in a repository with these URLs of remotes: it knows repositories by them alone. */
export function doesGitAiRecord(settings: string | undefined, urls: readonly string[]): boolean {
  const fields = readSettings(settings);
  const matches = (list: unknown) =>
    textsOf(list).some((pattern) => urls.some((url) => covers(pattern, url)));
  if (matches(fields?.[excluded])) return false;
  return textsOf(fields?.[allowed]).length === 0 || matches(fields?.[allowed]);
}

/** The URLs that can be named in its settings as they are: patterns stand there, and no secret belongs there. */
export function nameableUrls(urls: readonly string[]): string[] {
  return urls.filter((url) => !/[*?[\]{}\s]/.test(url) && !/^[a-z+]+:\/\/[^/]*:[^/]*@/i.test(url));
}

/** Its settings with these repositories excluded. @throws KeyframeError `invalid-input`, `refused` */
export function excludeFromGitAi(text: string | undefined, urls: readonly string[]): string {
  const isBlank = text === undefined || text.trim() === "";
  const list = isBlank ? undefined : jsonMember(mustBeSettings(text), excluded);
  if (isBlank || list === undefined) return setSetting(text, excluded, urls);
  if (list.kind !== "array")
    throw new KeyframeError("refused", `\`${excluded}\` in the settings is not a list`);
  return urls.reduce((result, value) => {
    const present = jsonMember(mustBeSettings(result), excluded);
    if (present?.kind !== "array" || textsOf(jsonValue(present)).includes(value)) return result;
    return insertJson(result, present, { value });
  }, text);
}

/** Its settings without these entries; the list goes with its last one, unless an empty one was there before. */
export function includeInGitAi(
  text: string,
  { urls, original }: { readonly urls: readonly string[]; readonly original: string | undefined },
): string {
  const kept = textsOf(readSettings(original)?.[excluded]);
  let result = text;
  for (const url of urls.filter((each) => !kept.includes(each))) {
    const list = jsonMember(mustBeSettings(result), excluded);
    if (list?.kind !== "array") return result;
    const at = list.items.findIndex((item) => jsonValue(item) === url);
    if (at >= 0) result = removeJson(result, list, at);
  }
  const left = jsonMember(mustBeSettings(result), excluded);
  return result !== text && left?.kind === "array" && left.items.length === 0 && kept.length === 0
    ? resetSetting(result, excluded, original)
    : result;
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === "string") : [];
}

/** A star stands for slashes too. */
function covers(pattern: string, url: string): boolean {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replace(/\*+/g, ".*")
    .replace(/\?/g, ".");
  return new RegExp(`^${source}$`).test(url);
}
