#!/usr/bin/env bash
# The data versions of the inputs.
set -eu
grep -oE '"version":"([^"\\]|\\.)*"' "$DATABUILD_REQUEST" >"$1"
