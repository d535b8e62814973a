#!/usr/bin/env bash
set -eu
cat "$1" >"$2"
