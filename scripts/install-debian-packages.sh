#!/usr/bin/env bash
# Installs the Debian packages that real-program tests need: scripts/install-debian-packages.sh [group...]
# Groups: nbd, s3, http, browser, editors, sandbox. All of them without arguments. Does nothing for what is installed already.
set -euo pipefail

declare -A groups=(
  [nbd]="qemu-utils libnbd-bin nbdfuse fio nbdkit e2fsprogs openssl"
  [s3]="ceph-mon ceph-osd ceph-common radosgw curl python3"
  [http]="nginx-light"
  [browser]="chromium"
  [editors]="neovim unzip"
  # machines, the guest's kernel, images without root, OCI layers, the guest program's interpreter, oracles
  [sandbox]="qemu-system-x86 qemu-utils linux-image-cloud-amd64 mmdebstrap e2fsprogs fakeroot fakechroot uidmap zstd tar perl-base nbdfuse fuse3"
)

wanted=()
for group in "${@:-${!groups[@]}}"; do
  for name in $group; do
    if [[ -z ${groups[$name]:-} ]]; then
      echo "no package group $name (there are: ${!groups[*]})" >&2
      exit 2
    fi
    read -ra packages <<<"${groups[$name]}"
    wanted+=("${packages[@]}")
  done
done

if ! command -v dpkg-query >/dev/null; then
  echo "not a Debian system: install the equivalents of ${wanted[*]} by hand for the tests that need them" >&2
  exit 0
fi

missing=()
for package in "${wanted[@]}"; do
  [[ $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) == "install ok installed" ]] || missing+=("$package")
done
[[ ${#missing[@]} -eq 0 ]] && exit 0

as_root=()
[[ $(id -u) -eq 0 ]] || as_root=(sudo)
"${as_root[@]}" apt-get update -q
# RUNLEVEL=1: a daemon is not started by its installation
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -q --no-install-recommends \
  -o DPkg::Lock::Timeout=600 "${missing[@]}"
