# List the recipes.
default:
    @just --list

# Run the demo: no key, no network.
demo:
    cargo run --release -- demo

# What CI runs.
ci:
    bash .ci/run

# Format, lint and document, as CI does.
check:
    cargo fmt --check
    cargo clippy --all-targets -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --no-deps

# Every test.
test:
    cargo test

# The story of the store on each engine, and what somebody is told whose server cannot be used.
stories:
    OPENBELL_REQUIRE_POSTGRES=1 cargo test --test it -- --nocapture the_story_on connect::

# Kill the release binary twenty times on each engine while it records.
kills:
    cargo build --release
    OPENBELL_REQUIRE_POSTGRES=1 OPENBELL_KILLS=20 OPENBELL_BINARY="$PWD/target/release/openbell" cargo test --test it kill:: -- --nocapture

# Stop PostgreSQL ten times in the middle of ingestion, cut and stall its link, fill its disk.
faults:
    OPENBELL_REQUIRE_POSTGRES=1 OPENBELL_FAULTS=10 cargo test --test it faults:: -- --nocapture

# Fuzz the decoders, so many seconds each: all of them, or those that are named.
fuzz seconds="60" *targets:
    scripts/fuzz.sh {{seconds}} {{targets}}

# The table of BENCHMARKS.md.
bench:
    cargo bench --bench table

# The budgets that need a running program.
measure:
    cargo build --release
    python3 scripts/measure.py --binary target/release/openbell

# The generated files: config example, key table, the README's picture.
generate:
    cargo run -- config example > config.example.toml
    cargo run -- screen --demo --size 160x44 --after 22s --format svg > assets/screen.svg
