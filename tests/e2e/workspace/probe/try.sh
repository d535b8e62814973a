#!/usr/bin/env bash
# Does what its first argument says, as well as it can.
set -eu
case=$1 path=$2
report() { printf '%s\n' "$1" >>"$DATABUILD_REPORT"; }
mkdir -p control
echo "$case" >>control/tried
case "$case" in
  failing)
    if [ -e control/mended ]; then echo mended >"$path"; exit 0; fi
    for line in $(seq 1 30); do echo "complaint $line" >&2; done
    exit 1
    ;;
  long)
    # 20 MiB of no text, and at the end the reason.
    head -c 20971520 /dev/urandom | tee control/long >&2
    echo "the reason" | tee -a control/long >&2
    exit 1
    ;;
  silent) exit 0 ;;
  killed) kill -KILL $$ ;;
  binary)
    head -c 4096 /dev/urandom
    head -c 4096 /dev/urandom >&2
    ;;
  nojson) report 'this is not JSON' ;;
  unknown) report '{"type":"done","partition":"probe/case/case=nobody"}' ;;
  another) report '{"type":"done","partition":"probe/case/case=good"}' ;;
  million) yes '{"type":"progress","fraction":0.5}' | head -n 1000000 >>"$DATABUILD_REPORT" ;;
  nonewline) printf '{"type":"done","partition":"probe/case/case=nonewline","metadata":{"last":"line"}}' >>"$DATABUILD_REPORT" ;;
  empty)
    report '{"type":"empty","partition":"probe/case/case=empty"}'
    exit 0
    ;;
esac
if [ -e control/big ]; then head -c 4194304 /dev/zero >"$path"; else echo "$case" >"$path"; fi
