#!/usr/bin/env bash
# Runs the tests that depend most on git with newer gits than the distribution's:
#   scripts/test-with-newer-gits.sh [--quick] [vitest filter...]
# By default everything below test/git, test/checkpoints and test/authorship; --quick is what moves objects between
# repositories or stores, for each build. KEYFRAME_GITS names the Debian suites (default: "trixie sid", which are git 2.47 and 2.55).
set -euo pipefail
cd "$(dirname "$0")/.."

filters=(test/git/ test/checkpoints/ test/authorship/)
if [[ ${1:-} == --quick ]]; then
  shift
  filters=(test/git/ test/checkpoints/remote test/checkpoints/fetched-objects test/checkpoints/push test/checkpoints/resume test/checkpoints/sync-crash
    test/checkpoints/migrate test/checkpoints/stores test/checkpoints/guests test/checkpoints/titles)
fi
[[ $# -eq 0 ]] || filters=("$@")

cache=${XDG_CACHE_HOME:+$XDG_CACHE_HOME/keyframe}
cache=${cache:-$PWD/node_modules/.cache}/gits
failed=0
for suite in ${KEYFRAME_GITS:-trixie sid}; do
  scripts/unpack-newer-git.sh "$suite" "$cache/$suite"
  echo "with $("$cache/$suite/bin/git" --version)"
  PATH=$cache/$suite/bin:$PATH npx vitest run --project unit --project e2e "${filters[@]}" || failed=1
done
exit "$failed"
