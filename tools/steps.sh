# shellcheck shell=bash
# Named steps of a script that goes on after a failure: `step NAME COMMAND...` for each, then `finish`. Sourced.

failed_steps=()

step() {
  local name=$1 started=$SECONDS
  shift
  printf '\n=== %s\n' "$name" >&2
  if "$@"; then
    printf '=== %s: passed (%d s)\n' "$name" "$((SECONDS - started))" >&2
  else
    printf '=== %s: FAILED (%d s)\n' "$name" "$((SECONDS - started))" >&2
    failed_steps+=("$name")
  fi
}

# Ends the script.
finish() {
  if [ "${#failed_steps[@]}" -eq 0 ]; then
    printf '\nall passed\n' >&2
    exit 0
  fi
  printf '\nfailed:\n' >&2
  printf '  %s\n' "${failed_steps[@]}" >&2
  exit 1
}
