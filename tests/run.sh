#!/usr/bin/env bash
# The one test command: `tests/run.sh` runs every test, the emulated board among them, and installs what is missing.
#
#   tests/run.sh                    all tests
#   tests/run.sh board              the emulated board replays the golden vectors of DOPPEL_MODEL (default models/glyphs)
#   tests/run.sh bench [--json] [MODEL…]
#                                   instructions of every layer on the emulated board: of the reference nets, beside
#                                   CMSIS-NN's, or of exported models
#   tests/run.sh bench-train [--json] [OPTION…]
#                                   training speed beside PyTorch's, which it installs in .venv-torch (gigabytes where only
#                                   the build for NVIDIA's GPUs is to be had)
set -euo pipefail
cd "$(dirname "$0")/.."
# One rustc job a core; the dependencies are built once, in the release profile, for everything that runs on the desktop.
target=thumbv7em-none-eabihf
board=(-p firmware --profile board --target "$target" --features qemu)

# The PyTorch that training is compared with.
torch=2.15.0

say() { printf '\n== %s\n' "$*"; }
fail() { printf 'tests/run.sh: %s\n' "$*" >&2; exit 1; }

# Runs apt-get as root, by sudo where that is needed.
apt() {
  local root=()
  [ "$(id -u)" = 0 ] || root=(sudo)
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get "$@" -qq >/dev/null
}

# install COMMAND DEBIAN-PACKAGE BREW-FORMULA: makes COMMAND available.
install() {
  command -v "$1" >/dev/null && return
  say "installing $2"
  if command -v apt-get >/dev/null; then
    # Without the recommended packages: they may clash with an installed qemu-utils of another release.
    apt update && apt install -y --no-install-recommends "$2"
  elif command -v brew >/dev/null; then
    brew install --quiet "$3"
  fi
  command -v "$1" >/dev/null || fail "$1 is missing and could not be installed: install it (Debian: $2, Homebrew: $3)"
}

prepare() {
  command -v rustup >/dev/null || fail "rustup is missing: install it from https://rustup.rs"
  install cc gcc gcc
  # The toolchain file names the channel, its components and the board's targets.
  rustup toolchain install >/dev/null 2>&1 || true
  rustup target add "$target" >/dev/null 2>&1 || fail "the Rust target $target cannot be added: run \`rustup target add $target\`"
  install qemu-system-arm qemu-system-arm qemu
}

referee() {
  if [ ! -x .venv/bin/python ] || ! cmp -s tests/referee/requirements.txt .venv/requirements.txt; then
    say "making the referee's Python environment in .venv"
    install python3 python3 python3
    python3 -m venv .venv 2>/dev/null || { apt install -y python3-venv && python3 -m venv .venv; }
    .venv/bin/pip install --quiet --disable-pip-version-check -r tests/referee/requirements.txt
    cp tests/referee/requirements.txt .venv/requirements.txt
  fi
}

torch() {
  .venv-torch/bin/python -c 'import torch' 2>/dev/null && return
  say "installing PyTorch in .venv-torch"
  install python3 python3 python3
  python3 -m venv .venv-torch 2>/dev/null || { apt install -y python3-venv && python3 -m venv .venv-torch; }
  local pip=(.venv-torch/bin/pip install --quiet --disable-pip-version-check)
  # The build without GPU is small, but not every mirror has it.
  "${pip[@]}" --retries 0 --index-url https://download.pytorch.org/whl/cpu "torch==$torch" 2>/dev/null || "${pip[@]}" "torch==$torch"
}

case "${1:-all}" in
  all)
    prepare
    referee
    say "desktop: host, firmware, and the claims that span them"
    cargo test --release -p host -p firmware -p parity --features firmware/std
    say "shared, with overflow checks"
    cargo test -p shared
    say "the kernels on the emulated Cortex-M4F"
    cargo run -q "${board[@]}" --bin kerneltest
    say "the golden vectors on the emulated Cortex-M4F"
    cargo run -q "${board[@]}" --bin selftest
    say "ONNX Runtime, the referee"
    cargo run -q --release -p parity --example vectors -- target/referee models/glyphs
    .venv/bin/python tests/referee/referee.py target/referee
    say "all passed"
    ;;
  board)
    prepare
    cargo run -q "${board[@]}" --bin selftest
    ;;
  bench)
    prepare
    cargo run -q --release -p parity --example bench -- "${@:2}"
    ;;
  bench-train)
    torch
    cargo run -q --release -p host --example bench_train -- --python .venv-torch/bin/python "${@:2}"
    ;;
  *)
    fail "unknown command ${1}: use no argument, board, bench or bench-train"
    ;;
esac
