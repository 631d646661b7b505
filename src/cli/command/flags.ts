/** `--json`, of every command that prints. */
export const jsonFlag = { kind: "boolean", optional: true, withNegated: false, brief: "Print JSON" } as const;

/** A flag that is there or not. */
export function switchFlag(brief: string) {
  return { kind: "boolean", optional: true, withNegated: false, brief } as const;
}

export function textFlag(brief: string, placeholder: string) {
  return { kind: "parsed", parse: asText, optional: true, brief, placeholder } as const;
}

/** May be given several times. */
export function textsFlag(brief: string, placeholder: string) {
  return { kind: "parsed", parse: asText, optional: true, variadic: true, brief, placeholder } as const;
}

export function countFlag(brief: string) {
  return { kind: "parsed", parse: asCount, optional: true, brief, placeholder: "n" } as const;
}

export function portFlag(brief: string) {
  return { kind: "parsed", parse: asPort, optional: true, brief, placeholder: "port" } as const;
}

export function asPort(text: string): number {
  const port = asCount(text);
  if (port < 1 || port > 65535) throw new SyntaxError(`not a port: ${text}`);
  return port;
}

export function textArgument(brief: string, placeholder: string) {
  return { brief, parse: asText, placeholder } as const;
}

/** The one argument of commands that speak with a remote. */
export const remoteArgument = {
  kind: "tuple",
  parameters: [
    {
      ...textArgument("Name or URL (default: keyframe.remote, origin, or the only one)", "remote"),
      optional: true,
    },
  ],
} as const;

export function asText(text: string): string {
  return text;
}

function asCount(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new SyntaxError(`not a number: ${text}`);
  return Number(text);
}

/** The commit or range that a command is about; the command says what it takes without one. */
export function revisionArgument(without: string) {
  return {
    kind: "tuple",
    parameters: [
      {
        parse: String,
        optional: true,
        placeholder: "revision",
        brief: `A commit or a range a..b (default: ${without})`,
      },
    ],
  } as const;
}
