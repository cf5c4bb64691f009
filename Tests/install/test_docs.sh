#!/usr/bin/env bash
# The API pages of `make docs`: every function of the headers and every name of the Python package is there.
set -euo pipefail
cd "$(dirname "$0")"
. ./cells.sh

functions() { grep -hoE '\bcleanclip_[a-z0-9_]+\(' "$root"/include/cleanclip/*.h | grep -vE '_callback\(' | tr -d '(' | sort -u; }
in_pages() {
  local name missing=0
  for name in $(functions); do
    grep -rq "class=\"memname\".*$name" "$root"/build/docs/c/*_8h.html || { echo "no page has $name"; missing=1; }
  done
  return $missing
}
classes() { grep -q 'Buffer' "$root/build/docs/c/classcleanclip_1_1Model.html"; }
python_pages() {
  "$root/.venv/bin/python" - "$root" <<'PYTHON'
import ast, pathlib, sys
root = pathlib.Path(sys.argv[1])
tree = ast.parse((root / "bindings/python/cleanclip/__init__.py").read_text())
names = next(ast.literal_eval(node.value) for node in tree.body
             if isinstance(node, ast.Assign) and node.targets[0].id == "__all__")
page = (root / "build/docs/python/cleanclip.html").read_text()
missing = [name for name in names if f'id="{name}"' not in page
           and not (root / f"build/docs/python/cleanclip/{name}.html").exists()]
sys.exit(f"no page has {missing}" if missing else 0)
PYTHON
}

cell "API pages" "$root/scripts/docs.sh"
cell "every function of the headers has an entry" in_pages
cell "classes of C++ have pages" classes
cell "every name of the Python package has an entry" python_pages
exit $failed
