import { KeyframeError } from "../../base/errors.ts";
import type { CliContext } from "../command/context.ts";
import { type CompletionShell, completionShells } from "./shells.ts";

/** `keyframe completion <shell>`: the scripts ask `keyframe complete-words` with the words so far. */
export async function completion(
  this: CliContext,
  _flags: Record<never, never>,
  shell: string,
): Promise<void> {
  const script = scripts[shell as CompletionShell];
  if (script === undefined) {
    throw new KeyframeError("usage", `no completion for ${JSON.stringify(shell)}`, {
      hint: `shells: ${completionShells.join(", ")}`,
    });
  }
  this.terminal.out(script);
}

// where Keyframe has nothing to propose, each shell goes on with file names
const scripts: Record<CompletionShell, string> = {
  bash: `_keyframe_complete() {
  local line
  COMPREPLY=()
  while IFS= read -r line; do COMPREPLY+=("$line"); done < <("\${COMP_WORDS[0]}" complete-words "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -o bashdefault -F _keyframe_complete keyframe kf`,
  zsh: `_keyframe_complete() {
  local -a found
  found=("\${(@f)$("\${words[1]}" complete-words "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n "\${found[1]}" ]]; then compadd -- "\${found[@]}"; else _files; fi
}
compdef _keyframe_complete keyframe kf`,
  fish: `function __keyframe_complete
  set -l words (commandline -opc) (commandline -ct)
  $words[1] complete-words $words[2..-1] 2>/dev/null
end
complete -c keyframe -a '(__keyframe_complete)'
complete -c kf -a '(__keyframe_complete)'`,
};
