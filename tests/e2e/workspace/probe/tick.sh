#!/usr/bin/env bash
# Notes its process and a child's, then prints a line every 50 ms until control/release-KEY exists.
set -eu
case=$1 path=$2
mkdir -p control
sleep 300 &
echo "$$ $!" >>"control/pids-$case"
count=0
until [ -e "control/release-$case" ]; do
  count=$((count + 1))
  echo "tick $count"
  sleep 0.05
done
kill "$!"
echo "released" >"$path"
