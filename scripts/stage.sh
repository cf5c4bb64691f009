#!/usr/bin/env bash
# Puts the built library, tools, header and vocabulary below a folder, as an installation has them.
#
#   scripts/stage.sh FOLDER               all of it, with what the demo needs
#   scripts/stage.sh FOLDER --install     stripped; FOLDER may begin with DESTDIR
#   scripts/stage.sh FOLDER --remove
set -euo pipefail
cd "$(dirname "$0")/.."
prefix=$1
mode=${2:-}

files=(
  bin/cleanclip bin/onnx-import lib/libcleanclip.so lib/pkgconfig/cleanclip.pc
  include/cleanclip.h include/cleanclip.hpp share/cleanclip/bpe_simple_vocab_16e6.txt.gz
)
if [ "$mode" = --remove ]; then
  for file in "${files[@]}" include/cleanclip/*.{h,hpp}; do rm -f "$prefix/$file"; done
  rmdir --ignore-fail-on-non-empty "$prefix"/{share,include}/cleanclip 2>/dev/null || true
  exit 0
fi

products=$(swift build -c release --show-bin-path)
mkdir -p "$prefix"/{bin,lib/pkgconfig,include/cleanclip,share/cleanclip}
install -m 755 "$products/cleanclip-tool" "$prefix/bin/cleanclip"
install -m 755 "$products/onnx-import" "$prefix/bin/"
install -m 644 "$products/libcleanclip.so" "$prefix/lib/"
install -m 644 include/cleanclip.h bindings/cpp/cleanclip.hpp "$prefix/include/"
install -m 644 include/cleanclip/*.h bindings/cpp/cleanclip/*.hpp "$prefix/include/cleanclip/"
install -m 644 .data/bpe_simple_vocab_16e6.txt.gz "$prefix/share/cleanclip/"
if [ "$mode" = --install ]; then
  strip --strip-unneeded "$prefix/lib/libcleanclip.so" "$prefix"/bin/{cleanclip,onnx-import}
else
  install -m 755 "$products/draw-scenes" "$prefix/bin/"
fi

# Where it will be, which is not where a packager stages it.
absolute=$(cd "$prefix" && pwd)
absolute=${absolute#"${DESTDIR:+$(cd "$DESTDIR" && pwd)}"}
version=$(sed -n 's/^#define CLEANCLIP_VERSION_STRING "\(.*\)"/\1/p' include/cleanclip/version.h)
cat > "$prefix/lib/pkgconfig/cleanclip.pc" <<PC
prefix=$absolute
libdir=\${prefix}/lib
includedir=\${prefix}/include

Name: cleanclip
Description: Poison-check and sanitize CLIP checkpoints
Version: $version
Libs: -L\${libdir} -lcleanclip
Cflags: -I\${includedir}
PC

# The loader's list of libraries, where this may change it.
if [ "$mode" = --install ] && [ -z "${DESTDIR:-}" ] && [ "$(id -u)" = 0 ]; then ldconfig; fi
