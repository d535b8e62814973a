#!/usr/bin/env bash
# All sums, sorted.
set -euo pipefail
cat out/sums/*/*.txt | sort >"$1"
