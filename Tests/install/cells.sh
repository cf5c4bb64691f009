# What the tests of installations share: each cell of the table in docs/installing.md is one command.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
version=$(cat "$root/VERSION")
multiarch=lib/x86_64-linux-gnu
failed=0

# Runs a command as a cell of the table, and shows its output when it fails.
cell() {
  local name=$1 output
  shift
  if output=$("$@" 2>&1); then
    echo "ok   $name"
  else
    echo "FAIL $name: $*"
    sed 's/^/     /' <<< "$output"
    failed=1
  fi
}

# Succeeds when a command fails and says what it is expected to say.
refused() {
  local expected=$1 output
  shift
  if output=$("$@" 2>&1); then
    echo "expected a failure, got: $output"
    return 1
  fi
  grep -q -- "$expected" <<< "$output" || { echo "expected '$expected', got: $output"; return 1; }
}
