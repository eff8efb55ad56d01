#!/usr/bin/env bash
# A long run of the whole engine on a local feed with a fault every minute: 500 symbols, 3000 messages a second.
#
#     scripts/soak.sh            half an hour
#     scripts/soak.sh 300        five minutes: does it work at all
#
# Linux only (/proc). The last lines tell memory and processor time; what was lost, if anything was, fails the test.
set -euo pipefail
cd "$(dirname "$0")/.."
OPENBELL_SOAK="${1:-${OPENBELL_SOAK:-1800}}" exec cargo test --release --test it -- soak --nocapture
