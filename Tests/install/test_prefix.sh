#!/usr/bin/env bash
# `make install` into prefixes: what compilers, CMake, the loader and the shell find there, before and after
# the prefix is moved.
set -euo pipefail
cd "$(dirname "$0")"
. ./cells.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# No network, no Swift, and a package manager that says when it is called.
mkdir "$work/bin"
for tool in apt-get apt pip pip3 sudo curl wget swift; do
  printf '#!/bin/sh\necho "%s was called" >&2\nexit 99\n' $tool > "$work/bin/$tool"
done
chmod +x "$work"/bin/*
offline() {
  if unshare -rn true 2>/dev/null; then set -- unshare -rn "$@"; fi
  PATH=$work/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"
}
make_install() { offline make --no-print-directory -C "$root" "$@"; }

links() {
  [ "$(readlink "$1/libcleanclip.so")" = libcleanclip.so.0 ] &&
    [ "$(readlink "$1/libcleanclip.so.0")" = "libcleanclip.so.$version" ] &&
    readelf -d "$1/libcleanclip.so.$version" | grep -q 'SONAME.*\[libcleanclip.so.0\]'
}
with_pkg_config() {
  local flags
  flags=$(PKG_CONFIG_PATH=$1/pkgconfig pkg-config --cflags --libs cleanclip)
  flags+=" $(PKG_CONFIG_PATH=$1/pkgconfig pkg-config --variable=rpath cleanclip)"
  [ "$(PKG_CONFIG_PATH=$1/pkgconfig pkg-config --modversion cleanclip)" = "$version" ] &&
    gcc -std=c11 -Wall -Wextra -Werror host.c -o "$work/host" $flags && env -i "$work/host"
}
# Debian's CMake does not look into lib64 by itself.
with_cmake() {
  rm -rf "$work/cmake" "$work/installed"
  cmake -S "$root/examples/cpp" -B "$work/cmake" -DCMAKE_PREFIX_PATH="$1" -DCMAKE_BUILD_TYPE=Release \
    ${2:+-Dcleanclip_DIR="$2"} \
    -DCMAKE_INSTALL_PREFIX="$work/installed" && cmake --build "$work/cmake" &&
    cmake --install "$work/cmake" && env -i ldd "$work/installed/bin/sanitize" | grep -q "$1.*/libcleanclip.so.0" &&
    refused 'usage:' env -i "$work/installed/bin/sanitize"
}
too_new() {
  sed 's/find_package(cleanclip 0.1/find_package(cleanclip 1.0/' "$root/examples/cpp/CMakeLists.txt" > "$work/CMakeLists.txt"
  cp "$root"/examples/cpp/*.cpp "$work/"
  refused 'compatible with requested' cmake -S "$work" -B "$work/cmake-new" -DCMAKE_PREFIX_PATH="$1"
}
shell_files() {
  man -l "$1/share/man/man1/cleanclip-sanitize.1" | grep -q 'Remove a backdoor' &&
    man --warnings=all -l -Tutf8 "$1"/share/man/man1/*.1 2>&1 >/dev/null | { ! grep .; } &&
    bash -n "$1/share/bash-completion/completions/cleanclip" &&
    bash -c ". '$1/share/bash-completion/completions/cleanclip' && complete -p cleanclip" &&
    grep -q '#compdef cleanclip' "$1/share/zsh/site-functions/_cleanclip" &&
    grep -q 'complete -c .*cleanclip' "$1/share/fish/vendor_completions.d/cleanclip.fish"
}

for libdir in lib lib64 $multiarch; do
  prefix=$work/prefix-${libdir//\//-}
  cell "make install, LIBDIR=$libdir, without network, apt, pip and Swift" \
    make_install install PREFIX="$prefix" LIBDIR=$libdir
  for moved in '' ', moved'; do
    if [ -n "$moved" ]; then mv "$prefix" "$prefix-moved" && prefix=$prefix-moved; fi
    cell "SONAME and links, $libdir$moved" links "$prefix/$libdir"
    cell "pkg-config, vocabulary, rpath, $libdir$moved" with_pkg_config "$prefix/$libdir"
    cell "find_package, $libdir$moved" with_cmake "$prefix" \
      $([ $libdir != lib64 ] || echo "$prefix/lib64/cmake/cleanclip")
  done
  cell "tools without Swift, $libdir" env -i "$prefix/bin/cleanclip" --version
  cell "manual pages and completions, $libdir" shell_files "$prefix"
done
cell "find_package refuses another major version" too_new "$prefix"

# A library by itself takes nobody's vocabulary.
mkdir -p "$work/app/share/cleanclip" "$work/app/.data" "$work/app/plugins"
for folder in share/cleanclip .data; do cp "$root"/build/share/cleanclip/*.gz "$work/app/$folder/"; done
cp "$prefix/$multiarch/libcleanclip.so.$version" "$work/app/plugins/libcleanclip.so.0"
cell "a library alone finds no vocabulary of others" \
  refused 'no vocabulary' env LD_LIBRARY_PATH="$work/app/plugins" "$work/host"

cell "make install into DESTDIR" make_install install DESTDIR="$work/staged" PREFIX=/usr LIBDIR=$multiarch
cell "pkg-config of DESTDIR does not name it" bash -c "! grep -r '$work' '$work/staged/usr/lib'"
cell "make uninstall" make_install uninstall DESTDIR="$work/staged" PREFIX=/usr LIBDIR=$multiarch
cell "nothing is left behind" bash -c "[ -z \"\$(find '$work/staged' ! -type d)\" ]"
cell "LIBDIR outside of PREFIX is refused" \
  refused "expected a folder below PREFIX" make_install install PREFIX="$work/x" LIBDIR=/usr/lib
exit $failed
