#!/usr/bin/env bash
# Puts what was built below a folder, as an installation has it: stripped, with manual pages and
# completions, which the tools write themselves. Nothing is built and nothing is fetched.
#
#   scripts/stage.sh build                        from Swift's build folder, with what the demo needs
#   [DESTDIR=D] [LIBDIR=lib/x86_64-linux-gnu] scripts/stage.sh PREFIX --install      from build/
#   [DESTDIR=D] [LIBDIR=lib/x86_64-linux-gnu] scripts/stage.sh PREFIX --remove
set -euo pipefail
source_folder=$(cd "$(dirname "$0")/.." && pwd)
[ "$1" = build ] && cd "$source_folder"
prefix=${DESTDIR:-}$1
mode=${2:-}
libdir=${LIBDIR:-lib}
version=$(cat "$source_folder/VERSION")
abi=${version%%.*}
vocabulary=share/cleanclip/bpe_simple_vocab_16e6.txt.gz
case $libdir in
  /* | *..* | '') echo "install: LIBDIR='$libdir': expected a folder below PREFIX, such as lib" >&2; exit 1 ;;
esac

# Writes a template of packaging/ for this folder of libraries; $2 is where it goes below that.
fill() {
  sed -e "s|@VERSION@|$version|g" -e "s|@ABI@|$abi|g" -e "s|@LIBDIR@|$libdir|g" \
    -e "s|@UP@|$(sed 's|[^/][^/]*|..|g' <<< "$libdir")|g" "$source_folder/packaging/$(basename "$1").in" \
    > "$prefix/$libdir/$1"
  chmod 644 "$prefix/$libdir/$1"
}

for_compilers() {
  mkdir -p "$prefix/$libdir"/{pkgconfig,cmake/cleanclip}
  ln -sf "libcleanclip.so.$version" "$prefix/$libdir/libcleanclip.so.$abi"
  ln -sf "libcleanclip.so.$abi" "$prefix/$libdir/libcleanclip.so"
  fill pkgconfig/cleanclip.pc
  fill cmake/cleanclip/cleanclip-config.cmake
  fill cmake/cleanclip/cleanclip-config-version.cmake
}

stage() {
  local products tool
  products=$(swift build -c release --show-bin-path)
  rm -rf "$prefix"/{lib,libexec,include,share}
  mkdir -p "$prefix"/{bin,lib,include/cleanclip,share/cleanclip}
  strip --strip-unneeded -o "$prefix/bin/cleanclip" "$products/cleanclip-tool"
  strip --strip-unneeded -o "$prefix/bin/onnx-import" "$products/onnx-import"
  strip --strip-unneeded -o "$prefix/bin/draw-scenes" "$products/draw-scenes"
  strip --strip-unneeded -o "$prefix/lib/libcleanclip.so.$version" "$products/libcleanclip.so"
  # What `mpirun -n N cleanclip` loads; the tool does without.
  if command -v mpicc > /dev/null; then
    mkdir -p "$prefix/libexec/cleanclip"
    mpicc -std=c99 -D_POSIX_C_SOURCE=200809L -O2 -Wall -Wextra -fPIC -shared -fvisibility=hidden -Iinclude -Ibindings/mpi \
      bindings/mpi/plugin.c -o "$prefix/libexec/cleanclip/mpi.so"
  fi
  chmod 755 "$prefix"/bin/*
  chmod 644 "$prefix/lib/libcleanclip.so.$version"
  for_compilers
  install -m 644 include/cleanclip.h bindings/cpp/cleanclip.hpp "$prefix/include/"
  install -m 644 include/cleanclip/*.h bindings/cpp/cleanclip/*.hpp bindings/mpi/cleanclip/* "$prefix/include/cleanclip/"
  install -m 644 .data/bpe_simple_vocab_16e6.txt.gz "$prefix/$vocabulary"
  install -m 644 packaging/tsan.supp "$prefix/share/cleanclip/"
  mkdir -p "$prefix"/share/{man/man1,bash-completion/completions,zsh/site-functions,fish/vendor_completions.d}
  for tool in cleanclip onnx-import; do
    "$prefix/bin/$tool" --experimental-dump-help | python3 scripts/manual.py "$version" "$prefix/share/man/man1"
    "$prefix/bin/$tool" --generate-completion-script bash | sed '1{/^#!/d}' > "$prefix/share/bash-completion/completions/$tool"
    "$prefix/bin/$tool" --generate-completion-script zsh > "$prefix/share/zsh/site-functions/_$tool"
    "$prefix/bin/$tool" --generate-completion-script fish > "$prefix/share/fish/vendor_completions.d/$tool.fish"
  done
}

# The files of an installation as they lie in build/, links and what names folders left out.
installed_files() {
  (
    cd "$source_folder/build"
    [ ! -d libexec ] || find libexec -type f
    find bin include share lib/libcleanclip.so."$version" -type f ! -name draw-scenes
  )
}

check_built() {
  [ -e "$source_folder/build/lib/libcleanclip.so.$version" ] && return
  echo "install: nothing is built; expected build/lib/libcleanclip.so.$version; run 'make build'" >&2
  exit 1
}

install_all() {
  local file
  check_built
  for_compilers
  installed_files | while read -r file; do
    install -D -m "$(stat -c %a "$source_folder/build/$file")" "$source_folder/build/$file" \
      "$prefix/${file/#lib\//$libdir/}"
  done
  # The loader's list of libraries, where this may change it.
  if [ -z "${DESTDIR:-}" ] && [ "$(id -u)" = 0 ]; then PATH=$PATH:/sbin ldconfig; fi
}

remove_all() {
  local file
  check_built
  installed_files | while read -r file; do rm -f "$prefix/${file/#lib\//$libdir/}"; done
  rm -f "$prefix/$libdir"/{libcleanclip.so{,."$abi"},pkgconfig/cleanclip.pc}
  rm -rf "$prefix/$libdir/cmake/cleanclip"
  rmdir --ignore-fail-on-non-empty "$prefix"/{share,include}/cleanclip 2>/dev/null || true
}

case $mode in
  '') stage ;;
  --install) install_all ;;
  --remove) remove_all ;;
  *) echo "stage: '$mode': expected --install or --remove" >&2; exit 1 ;;
esac
