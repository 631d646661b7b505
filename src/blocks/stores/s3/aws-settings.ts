import { join } from "node:path";
import { KeyframeError } from "../../../base/errors.ts";
import type { Files } from "../../../system/files/files.ts";

export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

export interface AwsSettings {
  readonly credentials: AwsCredentials | undefined;
  readonly region: string | undefined;
  readonly endpoint: string | undefined;
}

/**
 * What the environment says, else the profile (`AWS_PROFILE` or "default") of `~/.aws/credentials` and
 * `~/.aws/config`. Programs named there (`credential_process`) are not run.
 */
export function readAwsSettings(env: NodeJS.ProcessEnv, files: Files): AwsSettings {
  const profile = env["AWS_PROFILE"] ?? "default";
  const home = join(env["HOME"] ?? "/", ".aws");
  const shared = section(files, env["AWS_SHARED_CREDENTIALS_FILE"] ?? join(home, "credentials"), profile);
  const config = section(
    files,
    env["AWS_CONFIG_FILE"] ?? join(home, "config"),
    profile === "default" ? profile : `profile ${profile}`,
  );
  return {
    credentials:
      credentialsOf(env["AWS_ACCESS_KEY_ID"], env["AWS_SECRET_ACCESS_KEY"], env["AWS_SESSION_TOKEN"]) ??
      fromSection(shared) ??
      fromSection(config),
    region: env["AWS_REGION"] ?? env["AWS_DEFAULT_REGION"] ?? config["region"] ?? shared["region"],
    endpoint: env["AWS_ENDPOINT_URL_S3"] ?? env["AWS_ENDPOINT_URL"] ?? config["endpoint_url"],
  };
}

export function mustHaveCredentials(settings: AwsSettings): AwsCredentials {
  if (settings.credentials !== undefined) return settings.credentials;
  throw new KeyframeError("permission-denied", "there are no credentials for S3", {
    hint: "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile in ~/.aws/credentials",
  });
}

function fromSection(values: Readonly<Record<string, string>>): AwsCredentials | undefined {
  return credentialsOf(
    values["aws_access_key_id"],
    values["aws_secret_access_key"],
    values["aws_session_token"],
  );
}

function credentialsOf(
  accessKeyId: string | undefined,
  secretAccessKey: string | undefined,
  sessionToken: string | undefined,
): AwsCredentials | undefined {
  if (!accessKeyId || !secretAccessKey) return undefined;
  return { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) };
}

function section(files: Files, path: string, wanted: string): Record<string, string> {
  return parseIniSection(files.readIfExists(path)?.toString("utf8") ?? "", wanted);
}

/** The `key = value` lines below `[wanted]`; indented lines belong to a nested block and are skipped. */
export function parseIniSection(text: string, wanted: string): Record<string, string> {
  const values: Record<string, string> = Object.create(null);
  let isWanted = false;
  for (const line of text.split(/\r?\n/)) {
    const heading = /^\[\s*(.+?)\s*\]/.exec(line);
    if (heading !== null) isWanted = heading[1] === wanted;
    const pair = /^([A-Za-z0-9_]+)\s*=\s*(.*?)\s*$/.exec(line);
    if (isWanted && pair?.[1] !== undefined) values[pair[1].toLowerCase()] = pair[2] ?? "";
  }
  return values;
}
