#!/usr/bin/env bash
# Runs the unit tests and the demo on newer versions of Node than the one in use:
#   scripts/test-with-newer-nodes.sh [vitest filter...]
# KEYFRAME_NODES names the versions; each comes as the npm package `node`, once.
set -euo pipefail
cd "$(dirname "$0")/.."

cache=$HOME/.cache/keyframe-test # where tests with real agents keep theirs
failed=0
node scripts/build.mjs
for version in ${KEYFRAME_NODES:-22.23.3 24.21.0}; do
  node=$cache/node-$version/node_modules/node/bin/node
  if [[ ! -x $node ]]; then
    mkdir -p "$cache"
    fresh=$(mktemp -d "$cache/node-XXXXXX")
    npm install --prefix "$fresh" --no-audit --no-fund --loglevel=error "node@$version" >&2
    rm -rf "$cache/node-$version"
    mv "$fresh" "$cache/node-$version"
  fi
  echo "with Node $("$node" --version)"
  PATH=$(dirname "$node"):$PATH "$node" node_modules/vitest/vitest.mjs run --project unit "$@" || failed=1
  demo=$("$node" dist/keyframe.cjs demo 2>&1) || { echo "$demo"; failed=1; }
done
exit "$failed"
