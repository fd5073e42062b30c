#!/usr/bin/env bash
# The one test command: `tests/run.sh` runs every test, the emulated board among them, and installs what is missing.
#
#   tests/run.sh                    all tests
#   tests/run.sh board              the emulated board replays the golden vectors of DOPPEL_MODEL (default models/glyphs)
#   tests/run.sh boards             programs for the boards that people own: all build, their sizes are printed and bounded
#   tests/run.sh bench [--json] [--save] [--core m4|m33|m0|riscv] [MODEL…]
#                                   instructions of every layer on an emulated core: of the reference nets, or of exported
#                                   models, beside CMSIS-NN's (m4) or those of the portable kernels; --save keeps them for cards
#   tests/run.sh bench-train [--json] [OPTION…]
#                                   training speed beside PyTorch's, which it installs in .venv-torch (gigabytes where only
#                                   the build for NVIDIA's GPUs is to be had)
set -euo pipefail
cd "$(dirname "$0")/.."
# One rustc job a core; the dependencies are built once, in the release profile, for everything that runs on the desktop.
target=thumbv7em-none-eabihf
board=(-p firmware --profile board --target "$target" --features qemu)
targets=("$target" thumbv8m.main-none-eabihf thumbv6m-none-eabi riscv32imc-unknown-none-elf)

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
  rustup target add "${targets[@]}" >/dev/null 2>&1 || fail "a Rust target cannot be added: run \`rustup target add ${targets[*]}\`"
  install qemu-system-arm qemu-system-arm qemu
  install qemu-system-riscv32 qemu-system-misc qemu
  install espeak-ng espeak-ng espeak-ng
}

# The README's way from a clone to decisions on the emulated board, by the program that is built without training.
quickstart() {
  local dir=target/quickstart answer
  rm -rf "$dir" && mkdir -p "$dir"
  cargo build -q --release --no-default-features
  target/release/doppel draw "$dir/glyphs"
  local board=(target/release/doppel device --qemu --flash "$dir/flash.bin" --key "$dir/doppel.key")
  "${board[@]}" provision
  "${board[@]}" enroll --as anna "$dir"/glyphs/1000000/[01].png
  for answer in accepted:1000000/2 rejected:1000001/0; do
    "${board[@]}" verify --as anna "$dir/glyphs/${answer#*:}.png" | tee "$dir/answer"
    grep -q "${answer%:*}" "$dir/answer" || fail "the emulated board should have ${answer%:*} glyph ${answer#*:}"
  done
}

# Every program for every board; the self-test of the STM32F405 also runs, in the emulator that knows this chip.
boards() {
  cargo run -q --release -p parity --example sizes
  cargo build -q -p firmware --profile board --target "$target" --features stm32f4 --bin selftest
  local limit=()
  ! command -v timeout >/dev/null || limit=(timeout 120)
  "${limit[@]}" qemu-system-arm -M netduinoplus2 -display none -monitor none \
    -semihosting-config enable=on,target=native -kernel "target/$target/board/selftest"
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
    say "the kernels on the emulated Cortex-M33, Armv6-M and RISC-V cores"
    cargo run -q -p firmware --profile board --target thumbv8m.main-none-eabihf --features qemu-m33 --bin kerneltest
    cargo run -q -p firmware --profile board --target thumbv6m-none-eabi --features qemu --bin kerneltest
    cargo run -q -p firmware --profile board --target riscv32imc-unknown-none-elf --features qemu-riscv --bin kerneltest
    say "the boards that people own"
    boards
    say "the golden vectors on the emulated Cortex-M4F: of pictures, then of recordings"
    cargo run -q "${board[@]}" --bin selftest
    DOPPEL_MODEL=models/voices cargo run -q "${board[@]}" --bin selftest
    say "from a clone to decisions, without what trains"
    quickstart
    say "ONNX Runtime, the referee"
    cargo run -q --release -p parity --example vectors -- target/referee models/glyphs
    .venv/bin/python tests/referee/referee.py target/referee
    say "all passed"
    ;;
  board)
    prepare
    cargo run -q "${board[@]}" --bin selftest
    ;;
  boards)
    prepare
    boards
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
    fail "unknown command ${1}: use no argument, board, boards, bench or bench-train"
    ;;
esac
