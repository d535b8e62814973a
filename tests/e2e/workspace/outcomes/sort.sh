#!/usr/bin/env bash
# Makes accepted and rejected rows, and a table that is no file, and says of each how it went.
set -eu
day=$1 accepted=$2 rejected=$3
report() { printf '%s\n' "$1" >>"$DATABUILD_REPORT"; }
version=one
[ ! -e control/table ] || version=$(cat control/table)
report '{"type":"done","dataset":"outcomes/table","version":"'"$version"'","rows":2}'
printf 'a\nb\n' >"$accepted"
case "$day" in
  clean)
    report '{"type":"done","dataset":"outcomes/accepted","rows":2,"bytes":4,"metadata":{"source":"probe","range":[1,2]}}'
    report '{"type":"empty","partition":"outcomes/rejected/day=clean","metadata":{"looked_at":2}}'
    exit 0
    ;;
  mixed) report '{"type":"failed","dataset":"outcomes/rejected","message":"the rejected rows cannot be told","permanent":true}' ;;
  halfway) report '{"type":"failed","dataset":"outcomes/rejected","message":"attempt '"$DATABUILD_ATTEMPT"' found no rows"}' ;;
  ambiguous) report '{"type":"done","rows":2}' ;;
  quiet) ;;
esac
echo c >"$rejected"
