import type { AgentAdapter } from "../agent-event.ts";
import {
  absolutePaths,
  asFields,
  bufferField,
  type Fields,
  field,
  folderField,
  nameField,
} from "../fields.ts";
import { refused } from "../payload.ts";

/** An editor extension saw a person save files. */
export const knownHumanAdapter: AgentAdapter = {
  name: "known_human",
  parsePayload(payload) {
    const fields = asFields(payload);
    if (fields === undefined) return refused("the payload is not a JSON object");
    const cwd = folderField(fields, "cwd");
    if (cwd === undefined) return refused("the payload names no absolute cwd");
    const paths = absolutePaths(field(fields, "edited_filepaths"), cwd);
    if (paths === undefined) return refused("edited_filepaths is not a list of paths");
    const buffers = bufferField(fields, "dirty_files", cwd);
    if (buffers === undefined) return refused("dirty_files is not a map of paths to texts");
    return { kind: "known-human-edit", paths, cwd, ...parseEditor(fields), ...buffers };
  },
};

function parseEditor(fields: Fields) {
  const name = nameField(fields, "editor");
  if (name === undefined) return {};
  const version = nameField(fields, "editor_version");
  const extensionVersion = nameField(fields, "extension_version");
  return {
    editor: {
      name,
      ...(version === undefined ? {} : { version }),
      ...(extensionVersion === undefined ? {} : { extensionVersion }),
    },
  };
}
