import { isAbsolute, resolve, sep } from "node:path";
import { sha256Hex } from "../../base/digest.ts";
import type { AgentAdapter, AgentEvent, HookReading, IgnoredPayload } from "../agent-event.ts";
import { findModelInDocument, findModelInLines } from "../conversations/model-in-lines.ts";
import { absolutePaths, asFields, asName, asPath, type Fields } from "../fields.ts";
import { refused } from "../payload.ts";
import { editedPaths } from "./edited-paths.ts";
import { expectedContent } from "./expected-content.ts";
import { fieldAt, proseAt } from "./field-path.ts";
import { senderOf } from "./payload-sender.ts";
import type { HookMoment, HookProfile } from "./profile.ts";

/** The adapter that a profile describes. */
export function createProfileAdapter(profile: HookProfile): AgentAdapter {
  const isEdit = nameSet(profile.tools.edit);
  const isReadOnly = nameSet(profile.tools.readOnly);
  return {
    name: profile.name,
    ...(profile.afterHooks === undefined ? {} : { afterHooks: profile.afterHooks }),
    ...(profile.writesAfterMs === undefined ? {} : { writesAfterMs: profile.writesAfterMs }),
    parsePayload(payload, eventName) {
      const fields = asFields(payload);
      if (fields === undefined) return refused("the payload is not a JSON object");
      const from = senderOf(fields);
      if (from !== undefined && from.sender !== profile.name)
        return {
          ...refused(`the payload comes from ${from.title}, not from ${profile.title}`),
          sender: from.sender,
        };
      const moment = momentOf(profile, fields, eventName);
      if (typeof moment !== "string") return moment;
      const input = parseInput(fieldAt(fields, profile.places.input));
      const origin = parseOrigin(profile, fields, editedPaths(input));
      if ("kind" in origin) return origin;
      return parseMoment({ profile, fields, moment, input, origin, isEdit, isReadOnly });
    },
    ...findModelOf(profile),
  };
}

function findModelOf({ modelInLines, modelInDocument }: HookProfile): Pick<AgentAdapter, "findModel"> {
  if (modelInLines !== undefined)
    return { findModel: (event, readTail) => findModelInLines(event, readTail, modelInLines) };
  if (modelInDocument === undefined) return {};
  return { findModel: (event, readTail) => findModelInDocument(event, readTail, modelInDocument) };
}

type Origin = Pick<
  Extract<AgentEvent, { kind: "turn-end" }>,
  "agent" | "cwd" | "transcriptPath" | "subagentId"
>;

interface Reading {
  readonly profile: HookProfile;
  readonly fields: Fields;
  readonly moment: HookMoment;
  readonly input: unknown;
  readonly origin: Origin;
  readonly isEdit: (tool: string) => boolean;
  readonly isReadOnly: (tool: string) => boolean;
}

function momentOf(
  profile: HookProfile,
  fields: Fields,
  eventName: string | undefined,
): HookMoment | HookReading {
  const named = asName(fieldAt(fields, profile.places.event)) ?? asName(eventName);
  if (named === undefined) return refused("neither the payload nor the hook names the event");
  const moment = Object.hasOwn(profile.events, named) ? profile.events[named] : undefined;
  if (moment === undefined) return ignored(`the event ${named.slice(0, 100)} is not recorded`);
  return profile.isRepeated?.(fields) === true ? ignored(`${named} says nothing new`) : moment;
}

/** Some agents send a call's input as a text that holds JSON; a patch stays the text that it is. */
function parseInput(value: unknown): unknown {
  if (typeof value !== "string" || !value.trimStart().startsWith("{")) return value;
  try {
    return JSON.parse(value) as unknown;
  } catch {
    return value; // a text after all
  }
}

function parseOrigin(profile: HookProfile, fields: Fields, paths: readonly unknown[]): Origin | HookReading {
  const { places } = profile;
  const cwd = directoryOf(fieldAt(fields, places.directory), paths);
  if (cwd === undefined)
    return refused(`the payload names no absolute directory (${places.directory.join(", ")})`);
  const id = asName(fieldAt(fields, places.session));
  if (id === undefined)
    return refused(`the payload names no usable conversation (${places.session.join(", ")})`);
  const transcriptPath = asPath(fieldAt(fields, places.transcript));
  const subagentId = asName(fieldAt(fields, places.subagent));
  return {
    agent: { tool: profile.name, id, model: modelOf(fields, places.model) },
    cwd,
    ...(transcriptPath === undefined ? {} : { transcriptPath }),
    ...(subagentId === undefined ? {} : { subagentId }),
  };
}

function modelOf(fields: Fields, places: readonly string[] | undefined): string {
  const model = asName(fieldAt(fields, places));
  return model === undefined || /^(?:unknown|default|auto)$/i.test(model) ? "unknown" : model;
}

/** A directory; of several workspace roots the innermost that holds the edited file, else the first. */
function directoryOf(value: unknown, paths: readonly unknown[]): string | undefined {
  if (!Array.isArray(value)) return asPath(value);
  const roots = value.map(asPath).filter((root) => root !== undefined);
  const [path] = paths;
  const file = typeof path === "string" && isAbsolute(path) ? resolve(path) : undefined;
  const holding = roots.filter((root) => file?.startsWith(root + sep) === true);
  return holding.sort((left, right) => right.length - left.length)[0] ?? roots[0];
}

function parseMoment(reading: Reading): HookReading {
  const { profile, fields, moment, origin } = reading;
  switch (moment) {
    case "session-start":
      return {
        ...origin,
        kind: moment,
        ...optional("source", asName(fieldAt(fields, profile.places.source))),
      };
    case "prompt":
      return { ...origin, kind: moment, prompt: proseAt(fields, profile.places.prompt) };
    case "session-end":
    case "turn-end":
    case "subagent-end":
      return { ...origin, kind: moment };
    case "before-tool":
      return parseToolCall(reading, "before");
    case "after-tool":
      return parseToolCall(reading, "after");
    default:
      return parseCall(reading, moment);
  }
}

function parseToolCall(reading: Reading, when: "before" | "after"): HookReading {
  const tool = toolOf(reading);
  if (tool === undefined) return refused("the payload names no tool");
  if (reading.isReadOnly(tool)) {
    const isLook = when === "before" && reading.profile.afterHooks === "late";
    return isLook ? { ...reading.origin, kind: "read-call" } : ignored(`the tool ${tool} changes no file`);
  }
  // an edit tool that names no file may have written any
  const isEdit = reading.isEdit(tool) && editedPaths(reading.input).length > 0;
  return parseCall(reading, `${when}-${isEdit ? "edit" : "shell"}`);
}

function parseCall(
  reading: Reading,
  kind: "before-edit" | "after-edit" | "before-shell" | "after-shell",
): HookReading {
  const { profile, fields, input, origin } = reading;
  const toolName = toolOf(reading) ?? (kind.endsWith("edit") ? "edit" : "shell");
  const toolUseId = asName(fieldAt(fields, profile.places.call)) ?? madeCallId(toolName, input);
  const call = { ...origin, toolName, toolUseId };
  if (kind === "before-shell" || kind === "after-shell")
    return {
      ...call,
      kind,
      ...optional("command", commandOf(input)),
      ...(kind === "after-shell" && profile.afterHooks !== undefined ? { mayBeLate: true } : {}),
    };
  const paths = absolutePaths(editedPaths(input), origin.cwd);
  if (paths === undefined || paths.length === 0) return refused(`the ${toolName} call names no usable file`);
  return { ...call, kind, paths, expected: (before) => expectedContent(input, before) };
}

function toolOf({ profile, fields }: Pick<Reading, "profile" | "fields">): string | undefined {
  return asName(fieldAt(fields, profile.places.tool))?.replace(/^functions\./, "");
}

function commandOf(input: unknown): string | undefined {
  const value =
    typeof input === "string" ? input : fieldAt(asFields(input) ?? {}, ["command", "cmd", "commands"]);
  if (typeof value === "string") return value;
  return Array.isArray(value) && value.every((part) => typeof part === "string")
    ? value.join("\n")
    : undefined;
}

/** Before and after of a call carry the same input, so the same id. */
function madeCallId(tool: string, input: unknown): string {
  return `made-${sha256Hex(`${tool}\0${JSON.stringify(input ?? null)}`).slice(0, 24)}`;
}

/** Names are compared without case: agents have changed theirs. */
function nameSet(names: readonly string[]): (name: string) => boolean {
  const known = new Set(names.map((name) => name.toLowerCase()));
  return (name) => known.has(name.toLowerCase());
}

function ignored(why: string): IgnoredPayload {
  return { kind: "ignored", why };
}

function optional<Name extends string>(name: Name, value: string | undefined): { [key in Name]?: string } {
  return value === undefined ? {} : ({ [name]: value } as { [key in Name]: string });
}
