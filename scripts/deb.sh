#!/usr/bin/env bash
# Makes the Debian packages in build/deb from what `make build` left, and checks them with lintian.
# Whoever gives them away is named by DEBFULLNAME and DEBEMAIL.
set -euo pipefail
cd "$(dirname "$0")/.."
version=$(cat VERSION)
date=$(git log -1 --format=%cD 2>/dev/null || date -R -r VERSION)
rm -rf build/deb
mkdir -p "build/deb/cleanclip-$version"
cp -r packaging/debian "build/deb/cleanclip-$version/"
maintainer="${DEBFULLNAME:-the cleanclip authors} <${DEBEMAIL:-cleanclip@localhost}>"
sed -i "s/@MAINTAINER@/$maintainer/" "build/deb/cleanclip-$version/debian/control"
cat > "build/deb/cleanclip-$version/debian/changelog" <<CHANGES
cleanclip ($version) unstable; urgency=medium

  * See /usr/share/doc/cleanclip/changelog.gz.

 -- $maintainer  $date
CHANGES
(cd "build/deb/cleanclip-$version" && SOURCE=$OLDPWD dpkg-buildpackage -b -us -uc > ../log 2>&1) || {
  tail -n 40 build/deb/log >&2
  exit 1
}
# Packages of one's own are built without an address.
own=$([ -n "${DEBEMAIL:-}" ] || echo --suppress-tags bogus-mail-host,bogus-mail-host-in-debian-changelog)
lintian --fail-on error --allow-root --tag-display-limit 0 $own build/deb/*.changes
ls -l build/deb/*.deb
