#!/usr/bin/env bash
# How many customers the request has.
set -eu
grep -o '"partition":"dynamic/account/customer=[^"]*"' "$DATABUILD_REQUEST" | wc -l >"$1"
