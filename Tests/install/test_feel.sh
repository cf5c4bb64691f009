#!/usr/bin/env bash
# What a library feels like once it is there: the tests of the sources that show it, as cells of the table in
# docs/installing.md, and that the table names cells that exist.
set -euo pipefail
cd "$(dirname "$0")"
. ./cells.sh

pytests() {
  (cd "$root" && CLEANCLIP_LIBRARY=$root/build/lib/libcleanclip.so PYTHONPATH=bindings/python \
    .venv/bin/python -m pytest -q "$@")
}
# Each name in the last column of the table is, up to its variables, that of a cell in the script before it.
table_is_true() {
  "$root/.venv/bin/python" - "$root" <<'PYTHON'
import pathlib, re, sys
root = pathlib.Path(sys.argv[1])
rows = [line.split("|") for line in (root / "docs/installing.md").read_text().splitlines() if ".sh`" in line]
missing = []
for row in rows:
    scripts = "".join((root / "Tests/install" / name).read_text() for name in re.findall(r"`(test_\w+\.sh)`", row[3]))
    cells = re.findall(r'cell "([^"]*)"', scripts)
    missing += [name for name in re.findall(r"`([^`]*)`", row[4]) if not any(name in cell for cell in cells)]
if missing or len(rows) < 15:
    sys.exit(f"{len(rows)} rows; no such cells: {missing}")
PYTHON
}

cell "examples" pytests Tests/examples
cell "ABI policy" "$root/Tests/CAPI/check-abi.sh" "$root/build/lib/libcleanclip.so" "$root/include"
cell "progress and reprs" pytests Tests/python/test_display.py
cell "buffers" pytests Tests/python/test_buffers.py
cell "the table names cells that are there" table_is_true
exit $failed
