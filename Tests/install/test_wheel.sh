#!/usr/bin/env bash
# The wheel of `make wheel`, in a clean environment with NumPy alone, and beside what else Python programs load.
set -euo pipefail
cd "$(dirname "$0")"
. ./cells.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
wheel=$(echo "$root"/build/wheel/cleanclip-"$version"-py3-none-manylinux_*_x86_64.whl)

contents() {
  local names name
  names=$(python3 -m zipfile -l "$wheel")
  for name in cleanclip/lib/libcleanclip.so cleanclip/share/cleanclip/bpe_simple_vocab_16e6.txt.gz \
    cleanclip/py.typed dist-info/licenses/LICENSE dist-info/licenses/NOTICE dist-info/licenses/libopenblas; do
    grep -q "$name" <<< "$names" || { echo "the wheel has no $name"; return 1; }
  done
  # What libarchive, xml and ICU would bring, and what every system has.
  ! grep -E 'cleanclip.libs/(libicu|libxml2|libarchive|libnettle|libstdc|libc[-.]|libswift)' <<< "$names"
}
tag() {
  local shown
  shown=$("$root/.venv-wheel/bin/auditwheel" show "$wheel" | tr '\n' ' ')
  grep -q 'consistent with the following platform tag: "manylinux_' <<< "$shown" || { echo "$shown"; return 1; }
}
run_host() { (cd "$work" && env -u CLEANCLIP_LIBRARY -u PYTHONPATH "$@"); }
in_place() { [ -z "$(git -C "$root" status --porcelain --ignored bindings | grep -v __pycache__)" ]; }
without_library() {
  local site
  site=$(echo "$work"/venv/lib/python3*/site-packages/cleanclip)
  mv "$site/lib" "$site/aside"
  refused 'ImportError: libcleanclip.so: cannot be loaded' run_host "$work/venv/bin/python" -c 'import cleanclip' &&
    refused 'set CLEANCLIP_LIBRARY' run_host "$work/venv/bin/python" -c 'import cleanclip'
  local status=$?
  mv "$site/aside" "$site/lib"
  return $status
}
beside_others() {
  run_host "$root/.venv/bin/python" - "$(echo "$work"/venv/lib/python3*/site-packages)" "$1" "$PWD/host.py" <<'PYTHON'
import importlib, runpy, sys
site, order, host = sys.argv[1:]
sys.path.append(site)
for name in order.split(","):
    importlib.import_module(name)
import cleanclip
assert cleanclip.library_path.startswith(site), cleanclip.library_path
runpy.run_path(host)
if "torch" in order:
    import torch
    a = torch.ones(256, 256) @ torch.ones(256, 256)
    assert float(a[0, 0]) == 256
PYTHON
}

cell "the wheel has library, vocabulary, types and licences, and no ICU" contents
cell "auditwheel agrees with the manylinux tag" tag
python3 -m venv "$work/venv"
cell "pip install of the wheel" "$work/venv/bin/pip" install -q --disable-pip-version-check "$wheel"
cell "it needs NumPy alone" bash -c "
  [ \"\$('$work/venv/bin/pip' list --format=freeze --disable-pip-version-check | grep -vE '^(pip|setuptools)=' | cut -d= -f1 | xargs)\" = 'cleanclip numpy' ]"
cell "features, a saved graph and the vocabulary in a clean environment" \
  run_host env -i "$work/venv/bin/python" "$PWD/host.py"
cell "an import without the library says what to do" without_library
cell "sources need Python 3.9 or later" \
  "$root/.venv-wheel/bin/vermin" -q --eval-annotations -t=3.9- "$root/bindings/python/cleanclip"
for order in torch,onnxruntime,onnx cleanclip,onnx,onnxruntime,torch; do
  cell "in one process with $order" beside_others $order
done
python3 -m venv "$work/source"
cell "pip install ./bindings/python" \
  "$work/source/bin/pip" install -q --disable-pip-version-check "$root/bindings/python"
cell "features from that" run_host env -i "$work/source/bin/python" "$PWD/host.py"
cell "nothing is left in the source tree" in_place
exit $failed
