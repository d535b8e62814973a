#!/usr/bin/env bash
set -eu
if [ "$1" = random ]; then
  head -c 16 /dev/urandom | od -An -tx1 >"$2"
else
  echo "$1" >"$2"
fi
