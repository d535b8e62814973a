#!/usr/bin/env bash
# Writes each path of its request.
set -eu
grep -o '"path":"[^"]*"' "$DATABUILD_REQUEST" | sed 's/"path":"\(.*\)"/\1/' | while read -r path; do
  basename "$path" .txt >"$path"
done
