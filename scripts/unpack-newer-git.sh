#!/usr/bin/env bash
# Unpacks a newer git beside the distribution's, for tests: scripts/unpack-newer-git.sh <suite> <directory>
# <suite> is trixie (git 2.47) or sid (git 2.55). Afterwards <directory>/bin/git runs it; put that first in PATH. Nothing
# outside of <directory> changes, except that patchelf is installed when it is missing. The mirror is the machine's own.
set -euo pipefail

suite=${1:?suite: trixie or sid}
mkdir -p "${2:?directory}"
target=$(cd "$2" && pwd)
[[ -x $target/bin/git ]] && "$target/bin/git" --version >/dev/null 2>&1 && exit 0

if ! command -v patchelf >/dev/null; then
  as_root=()
  [[ $(id -u) -eq 0 ]] || as_root=(sudo)
  "${as_root[@]}" apt-get update -q >/dev/null
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
    -o DPkg::Lock::Timeout=600 patchelf >/dev/null
fi

# the first mirror that the machine itself uses: `URIs:` of deb822 files or the address of a one-line entry
mirror=$(cat /etc/apt/sources.list.d/*.sources 2>/dev/null | sed -n 's/^URIs: *\([^ ]*\).*/\1/p' | head -n 1)
[[ -n $mirror ]] || mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null |
  sed -n 's/^deb \(\[[^]]*\] \)\{0,1\}\([^ ]*\).*/\2/p' | head -n 1)
[[ -n $mirror ]] || { echo "no Debian mirror is configured on this machine" >&2; exit 1; }

apt=$target/apt
mkdir -p "$apt/lists/partial" "$target/packages" "$target/root" "$target/bin"
echo "deb $mirror $suite main" >"$apt/sources.list"
options=(-q -o "Dir::Etc::sourcelist=$apt/sources.list" -o Dir::Etc::sourceparts=- -o "Dir::State::Lists=$apt/lists"
  -o "Dir::Cache::pkgcache=" -o "Dir::Cache::srcpkgcache=" -o APT::Sandbox::User=root)
apt-get "${options[@]}" update >/dev/null
# git and the libraries that it and its HTTP helper load, of that suite
names=$(apt-cache "${options[@]}" depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces \
  --no-enhances git libcurl3t64-gnutls | sed -n 's/^\(lib[^ :]*\|zlib1g\|git\)$/\1/p' | grep -v '^libperl\|-perl$' | sort -u)
(cd "$target/packages" && xargs apt-get "${options[@]}" download <<<"$names" >/dev/null)
for package in "$target"/packages/*.deb; do dpkg -x "$package" "$target/root"; done

loader=$(find "$target/root" -name ld-linux-x86-64.so.2 | head -n 1)
libraries=$target/root/usr/lib/x86_64-linux-gnu
for program in usr/bin/git usr/lib/git-core/git usr/lib/git-core/git-remote-http usr/lib/git-core/git-daemon \
  usr/lib/git-core/git-http-backend usr/lib/git-core/git-http-fetch usr/lib/git-core/git-sh-i18n--envsubst; do
  file=$target/root/$program
  [[ -f $file && ! -L $file ]] || continue
  patchelf --force-rpath --set-interpreter "$loader" --set-rpath "$libraries:/usr/lib/x86_64-linux-gnu" "$file"
done
cat >"$target/bin/git" <<WRAPPER
#!/bin/sh
GIT_EXEC_PATH=$target/root/usr/lib/git-core exec $target/root/usr/bin/git "\$@"
WRAPPER
chmod 0755 "$target/bin/git"
rm -rf "$target/packages" "$apt"
"$target/bin/git" --version
