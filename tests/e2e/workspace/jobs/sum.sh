#!/usr/bin/env bash
# The sum of the days of the request.
set -euo pipefail
. "$RUNFILES_DIR/_main/lib/adding.sh"
# The first path is the output's.
mapfile -t paths < <(grep -o '"path":"[^"]*"' "$DATABUILD_REQUEST" | cut -d'"' -f4)
cat "${paths[@]:1}" | add >"${paths[0]}"
