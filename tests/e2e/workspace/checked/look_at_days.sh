#!/usr/bin/env bash
# Fails the 29th of February, and says how long each file is.
set -eu
grep -o '"path":"[^"]*"' "$DATABUILD_REQUEST" | sed 's/"path":"\(.*\)"/\1/' | while read -r path; do
  day=$(cat "$path")
  ok=true
  if [ "$day" = 2024-02-29 ]; then ok=false; fi
  printf '{"type":"check","partition":"checked/day/date=%s","ok":%s,"message":"day %s","metadata":{"bytes":%d}}\n' \
    "$day" "$ok" "$day" "$(wc -c <"$path")" >>"$DATABUILD_REPORT"
done
