#!/usr/bin/env bash
# Installs the Debian packages of the named groups; without a name, all of them. Safe to run again.
#   scripts/install-debian-packages.sh sandbox
set -euo pipefail

# qemu-system-x86: the machines. linux-image-cloud-amd64: the guest's kernel and modules. mmdebstrap, e2fsprogs,
# fakeroot, uidmap: images without root. zstd: OCI layers. perl-base: the guest program's interpreter.
# qemu-utils: `qemu-img check`, an oracle in the tests. util-linux, coreutils: setpriv, timeout.
declare -A groups=(
  [sandbox]="qemu-system-x86 qemu-utils linux-image-cloud-amd64 mmdebstrap e2fsprogs fakeroot uidmap zstd tar perl-base util-linux coreutils"
)

names=("$@")
[ ${#names[@]} -gt 0 ] || names=("${!groups[@]}")
missing=()
for name in "${names[@]}"; do
  [ -n "${groups[$name]:-}" ] || { echo "no group $name; known: ${!groups[*]}" >&2; exit 2; }
  for package in ${groups[$name]}; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
done
[ ${#missing[@]} -gt 0 ] || { echo "already installed: ${names[*]}"; exit 0; }

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }
export DEBIAN_FRONTEND=noninteractive
as_root apt-get update -qq
as_root apt-get install -y --no-install-recommends "${missing[@]}"
