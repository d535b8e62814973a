#!/usr/bin/env bash
# Succeeds the third time, or never will and says so.
set -eu
echo "attempt $DATABUILD_ATTEMPT" >&2
case "$1" in
  twice) [ "$DATABUILD_ATTEMPT" -ge 3 ] || exit 1 ;;
  never)
    echo '{"type":"failed","message":"there is no such data","permanent":true}' >>"$DATABUILD_REPORT"
    exit 1
    ;;
esac
echo "$DATABUILD_ATTEMPT" >"$2"
