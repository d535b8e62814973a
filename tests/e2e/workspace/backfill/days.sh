#!/usr/bin/env bash
# Makes each day of its request but those that control/failing names, and notes all of them.
set -eu
mkdir -p control
days=$(grep -o '"partition":"backfill/day/date=[^"]*"' "$DATABUILD_REQUEST" | sed 's/.*date=\(.*\)"/\1/')
echo $days >>control/made
grep -o '"path":"[^"]*"' "$DATABUILD_REQUEST" | sed 's/"path":"\(.*\)"/\1/' | while read -r path; do
  day=$(basename "$path" .txt)
  if grep -qx "$day" control/failing 2>/dev/null; then
    printf '{"type":"failed","partition":"backfill/day/date=%s","message":"no data of %s"}\n' "$day" "$day" >>"$DATABUILD_REPORT"
  else
    echo "attempt $DATABUILD_ATTEMPT" >"$path"
  fi
done
