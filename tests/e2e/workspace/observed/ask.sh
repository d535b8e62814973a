#!/usr/bin/env bash
# Runs what control/rates says, as a script of its own; each run is noted.
set -eu
echo "$$" >>control/asked
. control/rates
