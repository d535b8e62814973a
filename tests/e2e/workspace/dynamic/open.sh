#!/usr/bin/env bash
# The account of a customer. Whoever has a parent, as control/parent-CUSTOMER says, needs the parent's account first.
set -eu
customer=$1 path=$2
echo "$customer" >"$path"
[ -e "control/parent-$customer" ] || exit 0
parent=$(cat "control/parent-$customer")
if ! grep -q "\"partition\":\"dynamic/account/customer=$parent\"" "$DATABUILD_REQUEST"; then
  printf '{"type":"missing_input","partition":"dynamic/account/customer=%s"}\n' "$parent" >>"$DATABUILD_REPORT"
  exit 1
fi
cat "out/dynamic/account/$parent.txt" >>"$path"
