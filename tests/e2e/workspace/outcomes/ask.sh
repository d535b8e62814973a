#!/usr/bin/env bash
set -eu
cat "$DATABUILD_REQUEST" >"$1"
