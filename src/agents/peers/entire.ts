import { readSettings, resetSetting, setSetting } from "./peer-settings.ts";

/** Its settings, from the top of the work tree; those that come later count. */
export const entireSettingsPaths: readonly string[] = [
  ".entire/settings.json",
  ".entire/settings.local.json",
];

/** The settings of one person, which its own `disable` writes. */
export const entirePersonalSettings = ".entire/settings.local.json";

/** Where it puts the hooks of agents, from the top of the work tree. */
export const entireHookFiles: readonly string[] = [
  ".claude/settings.json",
  ".codex/hooks.json",
  ".cursor/hooks.json",
  ".gemini/settings.json",
  ".github/hooks/entire.json",
  ".factory/settings.json",
  ".opencode/plugins/entire.ts",
  ".pi/extensions/entire/index.ts",
  ".agents/hooks.json",
];

/** True for a git hook, or a settings file of an agent, that starts Entire. */
export function startsEntire(text: string): boolean {
  return (
    text.includes("# Entire CLI hooks") || /(?:^|[\s/'"])entire['"]?[\s,'"[]+hooks[\s,'"]+[a-z]/m.test(text)
  );
}

/** Whether its hooks record, by the texts of its settings in their order: they do unless the last word is no. */
export function isEntireEnabled(settings: readonly (string | undefined)[]): boolean {
  const words = settings.map((text) => readSettings(text)?.["enabled"]);
  return words.findLast((word) => typeof word === "boolean") !== false;
}

/** Its personal settings after its own `disable`. @throws KeyframeError `invalid-input` */
export function switchEntireOff(text: string | undefined): string {
  return readSettings(text)?.["enabled"] === false && text !== undefined
    ? text
    : setSetting(text, "enabled", false);
}

/** Its personal settings as before `switchEntireOff`; left alone where somebody switched it on again. */
export function giveEntireBack(text: string, original: string | undefined): string {
  return readSettings(text)?.["enabled"] === false ? resetSetting(text, "enabled", original) : text;
}
