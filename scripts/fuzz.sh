#!/usr/bin/env bash
# Fuzzes the decoders: scripts/fuzz.sh [SECONDS] [TARGET...]. Each target runs for so many seconds (60), one after the other; without
# targets, all of them. It exits with 1 when something was found, with 2 when it could not begin.
set -euo pipefail

# Where the caller stands, a relative folder means another one than here.
case "${CARGO_TARGET_DIR:-/}" in
  /*) ;;
  *) export CARGO_TARGET_DIR="$PWD/$CARGO_TARGET_DIR" ;;
esac
cd "$(dirname "$0")/.."

stop() {
  echo "fuzz: $1" >&2
  exit 2
}

all_targets() {
  local file
  for file in fuzz/fuzz_targets/*.rs; do
    basename "$file" .rs
  done
}

# From how many functions the first byte of an input chooses.
functions_of() {
  sed -n 's/^const FUNCTIONS: \[Function; \([0-9][0-9]*\)\] = .*/\1/p' "fuzz/fuzz_targets/$1.rs"
}

samples_of() {
  local folder
  for folder in "tests/fixtures/$1" "fuzz/seeds/$1"; do
    if [ -d "$folder" ]; then
      find "$folder" -maxdepth 1 -type f ! -name metadata.json
    fi
  done
  if [ "$1" = config ]; then
    echo config.example.toml
  fi
}

# Each sample once with each first byte that chooses; what earlier runs came upon stays.
seed() {
  local corpus="fuzz/corpus/$1" functions choice byte sample
  functions="$(functions_of "$1")"
  [ -n "$functions" ] || stop "fuzz/fuzz_targets/$1.rs does not say how many functions it has"
  mkdir -p "$corpus"
  for ((choice = 0; choice < functions; choice++)); do
    byte="$(printf '\\x%02x' "$choice")"
    while IFS= read -r sample; do
      { printf '%b' "$byte" && cat "$sample"; } >"$corpus/seed-$choice-${sample##*/}"
    done < <(samples_of "$1")
  done
}

# Crashes, timeouts and memory that ran out, of this run only; a slow input is none.
findings_of() {
  if [ -d "fuzz/artifacts/$1" ]; then
    find "fuzz/artifacts/$1" -type f ! -name 'slow-unit-*' -newer "$scratch/began"
  fi
}

# Says what came of one target; fails when it found something or could not run.
run() {
  local target="$1" log="fuzz/logs/$1.log" ended=0 executions found count
  seed "$target"
  touch "$scratch/began"
  # The clock of files may be coarse: what is found is later than this mark.
  sleep 0.1
  # SQLite, which is linked and not fuzzed, has a name twice.
  ASAN_OPTIONS="detect_odr_violation=0${ASAN_OPTIONS:+:$ASAN_OPTIONS}" TMPDIR="$scratch" cargo +nightly fuzz run "$target" -- -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=65536 \
    -print_final_stats=1 >"$log" 2>&1 || ended=$?
  executions="$(sed -n 's/^stat::number_of_executed_units: *//p' "$log" | tail -n 1)"
  found="$(findings_of "$target")"
  count="$(printf '%s' "$found" | grep -c . || true)"
  printf '%-14s %12s executions %4s findings\n' "$target" "${executions:-0}" "$count"
  if [ "$count" -gt 0 ]; then
    printf '%s\n' "$found" | sed 's/^/  /'
    sed -n '/panicked at/{N;s/^/  /;s/\n/\n  /;p;}' "$log" | head -n 4 || true
    return 1
  fi
  if [ "$ended" -ne 0 ] || [ -z "$executions" ]; then
    echo "  it ended with $ended; the end of $log:"
    tail -n 15 "$log" | sed 's/^/  /'
    return 1
  fi
}

seconds="${1:-60}"
[ "$#" -eq 0 ] || shift
[[ "$seconds" =~ ^[1-9][0-9]*$ ]] || stop "'$seconds' is no number of seconds; usage: scripts/fuzz.sh [SECONDS] [TARGET...]"
rustup run nightly cargo --version >/dev/null 2>&1 || stop "there is no nightly toolchain: rustup toolchain install nightly"
cargo +nightly fuzz --version >/dev/null 2>&1 || stop "there is no cargo-fuzz: cargo install cargo-fuzz --locked"
if [ "$#" -eq 0 ]; then
  mapfile -t targets < <(all_targets)
else
  targets=("$@")
fi
for target in "${targets[@]}"; do
  [ -f "fuzz/fuzz_targets/$target.rs" ] || stop "there is no target '$target': one of $(all_targets | tr '\n' ' ')"
done

scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
mkdir -p fuzz/logs
failed=0
for target in "${targets[@]}"; do
  run "$target" || failed=1
done
exit "$failed"
