#!/bin/sh
# Plans or builds in a workspace of fixtures and compares what came out; see pipeline_tests.bzl, which fills the holes.
# shellcheck disable=SC1083,SC2050
set -eu

label=%{label}
as_of=%{as_of}
runfiles=${RUNFILES_DIR:-${TEST_SRCDIR:-$0.runfiles}}
case $runfiles in /*) ;; *) runfiles=$PWD/$runfiles ;; esac
graph=$runfiles/%{graph}
kept=${TEST_UNDECLARED_OUTPUTS_DIR:-}
source_tree=${BUILD_WORKSPACE_DIRECTORY:-}

# Nothing of the machine and nothing of another test: workspace, code store and sockets are below this test's folder.
lab=$(mktemp -d "${TEST_TMPDIR:-${TMPDIR:-/tmp}}/databuild.XXXXXX")
workspace=$lab/workspace
export HOME="$lab" XDG_CACHE_HOME="$lab/cache" RUNFILES_DIR="$runfiles"
unset XDG_RUNTIME_DIR BUILD_WORKSPACE_DIRECTORY BUILD_WORKING_DIRECTORY
mkdir -p "$workspace"
: >"$workspace/MODULE.bazel"

databuild() { "$graph" --workspace "$workspace" --color never "$@"; }
finish() {
  databuild stop --jobs >/dev/null 2>&1 || true
  chmod -R u+w "$lab" 2>/dev/null || true
  rm -rf "$lab"
}
trap finish EXIT

lay_out() {
  while [ $# -gt 0 ]; do
    mkdir -p "$(dirname "$workspace/$2")"
    cp -L "$runfiles/$1" "$workspace/$2"
    shift 2
  done
}
lay_out %{fixtures}

# Keys that somebody added, or that jobs found, before. Their key spaces stand in the graph.
add_keys() {
  [ $# = 0 ] || databuild deploy --yes >/dev/null
  while [ $# -gt 0 ]; do
    databuild keys add "$1" -- "$2" >/dev/null
    shift 2
  done
}
add_keys %{dynamic_keys}

failed=0
# same EXPECTED ACTUAL NAME
same() {
  if [ ! -e "$2" ]; then
    echo "FAIL $label: $3 was not made" >&2
    failed=1
  elif ! cmp -s "$1" "$2"; then
    echo "FAIL $label: $3 is not as expected (- expected, + actual)" >&2
    diff -u "$1" "$2" | tail -n +3 | head -n 100 >&2 || true
    if [ -n "${TEST_UNDECLARED_OUTPUTS_ZIP:-}" ] && ! command -v zip >/dev/null; then
      echo "  to keep what came out, install zip or give --nozip_undeclared_test_outputs to Bazel" >&2
    elif [ -n "$kept" ] && mkdir -p "$kept/$(dirname "$3")" && cp -L "$2" "$kept/$3"; then
      # As Bazel leaves it: packed, unless it is told otherwise.
      packed=${TEST_UNDECLARED_OUTPUTS_ZIP:+/outputs.zip}
      echo "  what came out is $3 in bazel-testlogs/$(echo "$label" | sed 's|^//||; s|^:||; s|:|/|')/test.outputs$packed" >&2
    fi
    failed=1
  fi
}

# Exit code 1 says that something cannot be built, which may be what is expected.
plan() { databuild plan --no-save --as-of "$as_of" %{targets} >"$lab/plan" || [ $? = 1 ]; }

if [ %{mode} = update ]; then
  if [ -z "$source_tree" ]; then
    echo "$label: run it with \`bazel run\`, which says where the source files are" >&2
    exit 2
  fi
  plan
  mkdir -p "$(dirname "$source_tree/"%{golden})"
  cat "$lab/plan" >"$source_tree/"%{golden}
  echo "wrote" %{golden}
elif [ %{mode} = plan ]; then
  plan
  compare() { same "$runfiles/$1" "$lab/plan" "$2"; }
  compare %{expected}
  [ "$failed" = 0 ] || echo "  to expect what came out: bazel run $label.update" >&2
else
  # A command with a server of its own wants no other beside it.
  databuild stop --jobs >/dev/null 2>&1
  databuild build --no-daemon ${as_of:+--as-of "$as_of"} %{targets}
  compare() {
    while [ $# -gt 0 ]; do
      same "$runfiles/$1" "$workspace/$2" "$2"
      shift 2
    done
  }
  compare %{expected}
fi
exit "$failed"
