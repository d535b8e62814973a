#!/usr/bin/env bash
set -eu
mkdir "$1"
mkdir "$1/branch"
echo leaf >"$1/branch/leaf.txt"
echo root >"$1/root.txt"
