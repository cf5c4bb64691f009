#!/usr/bin/env bash
# Debian packages and the wheel in clean roots, where neither Swift nor this source tree is: Debian 12 gets
# the packages; Debian 12 and 13 get the wheel.
set -euo pipefail
cd "$(dirname "$0")"
. ./cells.sh
[ "$(id -u)" = 0 ] || { echo "test_roots: needs root for chroot; run it with sudo" >&2; exit 1; }
work=$(mktemp -d)
trap 'umount -q "$work"/*/proc; rm -rf --one-file-system "$work"' EXIT
chmod 755 "$work"
debs=("$root"/build/deb/*_"$version"_*.deb)
wheel=$(echo "$root"/build/wheel/cleanclip-"$version"-*.whl)

# A root of a release with some packages, from the mirror that this system uses.
make_root() {
  local mirror
  mirror=$(apt-cache policy | grep -oE 'https?://[^ ]*/debian ' | head -n 1)
  mmdebstrap --quiet --variant=apt --include="$3" "$1" "$2" "${mirror:-http://deb.debian.org/debian}"
  mount -t proc proc "$2/proc"
  cp /etc/resolv.conf "$2/etc/"
  inside "$2" apt-get update -qq
}
inside() { env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root chroot "$@"; }

bookworm=$work/bookworm
make_root bookworm "$bookworm" python3-pip,python3-venv,gcc,g++,cmake,make,pkg-config,man-db,bash-completion
mkdir "$bookworm/given"
cp "${debs[@]}" host.c host.py "$bookworm/given/"
cp -r "$root/examples/cpp" "$bookworm/given/example"
cell "apt installs the packages and what they need" inside "$bookworm" sh -c \
  'apt-get install -y -q --no-install-recommends /given/*.deb'
cell "no Swift in the root" inside "$bookworm" sh -c '! find / -xdev -name "libswift*" | grep .'
cell "tools" inside "$bookworm" sh -c 'cleanclip --version && onnx-import --version'
cell "Python" inside "$bookworm" python3 /given/host.py
cell "pkg-config" inside "$bookworm" sh -c \
  'gcc /given/host.c -o /tmp/host $(pkg-config --cflags --libs cleanclip) && /tmp/host'
cell "find_package" inside "$bookworm" sh -c 'cmake -S /given/example -B /tmp/example && cmake --build /tmp/example'
cell "manual pages" inside "$bookworm" man -w cleanclip cleanclip-check-model onnx-import
cell "completion" inside "$bookworm" bash -c \
  '. /usr/share/bash-completion/bash_completion && _completion_loader cleanclip; complete -p cleanclip'
cell "purge" inside "$bookworm" sh -c \
  'apt-get purge -y -q "libcleanclip*" cleanclip python3-cleanclip && ! find / -xdev -path /given -prune -o -name "*cleanclip*" -print | grep -vE "^/(tmp|var|proc)" | grep .'
for release in bookworm trixie; do
  at=$work/$release
  [ -e "$at" ] || make_root $release "$at" python3-venv
  mkdir -p "$at/given"
  cp "$wheel" host.py "$at/given/"
  inside "$at" apt-get install -y -qq --no-install-recommends python3-numpy > /dev/null
  # NumPy is the distribution's: the wheel is to install without an index.
  cell "pip installs the wheel on $release" inside "$at" sh -c \
    'python3 -m venv --system-site-packages /opt/venv && /opt/venv/bin/pip install -q --no-index /given/*.whl'
  cell "the wheel on $release" inside "$at" /opt/venv/bin/python /given/host.py
done
exit $failed
