#!/usr/bin/env bash
# Passes all data but $REFUSE, and behaves badly at some keys. `held` waits until control/release-held exists, and while
# control/hold is there.
set -eu
case=$1 path=$2
content=$(cat "$path")
if [ "$REFUSE" = bad ]; then
  case "$case" in
    crash) kill -KILL $$ ;;
    late) exec sleep 300 ;;
    held)
      if [ -e control/hold ]; then
        sleep 300 &
        echo "$$ $!" >>control/pids-held
        until [ -e control/release-held ]; do sleep 0.05; done
        kill "$!"
      fi
      ;;
  esac
fi
echo "looked at $content"
if [ "$content" = "$REFUSE" ]; then
  echo "it says $content" >&2
  exit 1
fi
