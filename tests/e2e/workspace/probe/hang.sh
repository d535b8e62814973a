#!/usr/bin/env bash
trap '' TERM
mkdir -p control
sleep 300 &
echo "$$ $!" >control/hung
while :; do wait; done
