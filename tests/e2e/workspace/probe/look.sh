#!/usr/bin/env bash
set -eu
{
  env | sort
  for fd in /proc/self/fd/*; do echo "fd ${fd##*/} $(readlink "$fd" || true)"; done
} >"$1"
