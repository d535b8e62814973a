#!/usr/bin/env bash
# What changes a job's fingerprint and what does not, in a workspace of its own that uses these rules from outside,
# through the Bazel that bazelw finds:
#
#   rules/tests/behavior.sh
#
# The graph tool is built once here and given to that workspace as a prebuilt program, which tries that hook as well.
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
bazelw="$repo/bazelw"
lab=$(mktemp -d "${TMPDIR:-/tmp}/databuild-rules.XXXXXX")
bazel() { "$bazelw" --max_idle_secs=60 "$@"; }
finish() {
  (cd "$lab/ws" && bazel clean --expunge) >/dev/null 2>&1 || true
  chmod -R u+w "$lab" && rm -rf "$lab"
}
trap finish EXIT

failures=0
fail() {
  echo "FAIL: $*" >&2
  failures=$((failures + 1))
}

mkdir -p "$lab/ws/lib" "$lab/ws/programs" "$lab/other"
cd "$repo"
"$bazelw" build //databuild/graphtool >"$lab/log" 2>&1 || { cat "$lab/log" >&2; exit 1; }
cp "$("$bazelw" info bazel-bin 2>/dev/null)/databuild/graphtool/graphtool" "$lab/ws/programs/databuild-graphtool"
printf '#!/bin/sh\necho "args=$*"\ntest -f "$0.graph.json" -a -d "$0.runfiles"\n' >"$lab/ws/programs/databuild"
chmod +x "$lab/ws/programs/databuild"

cd "$lab/other"
echo 'module(name = "other")' >MODULE.bazel
echo 'filegroup(name = "other", srcs = ["other.sh"], visibility = ["//visibility:public"])' >BUILD.bazel
echo 'other() { :; }' >other.sh

cd "$lab/ws"
cat >MODULE.bazel <<END
module(name = "lab")
bazel_dep(name = "databuild")
local_path_override(module_name = "databuild", path = "$repo")
bazel_dep(name = "other")
local_path_override(module_name = "other", path = "$lab/other")
bazel_dep(name = "rules_shell", version = "0.6.1")
databuild = use_extension("@databuild//rules:extensions.bzl", "databuild")
databuild.prebuilt(path = "programs", platform = "linux_$(uname -m)")
END
cat >BUILD.bazel <<'END'
load("@databuild//rules:defs.bzl", "databuild_dataset", "databuild_graph", "databuild_job", "dep")
load("@rules_shell//shell:sh_binary.bzl", "sh_binary")
databuild_dataset(name = "in", external = True, path = "in.csv")
databuild_dataset(name = "mid", path = "mid.csv")
databuild_dataset(name = "out", path = "out.csv")
genrule(name = "gen", srcs = ["gen.src", "gen.unused"], outs = ["gen.txt"], cmd = "cat $(location gen.src) > $@")
sh_binary(name = "a_bin", srcs = ["a.sh"], data = [":gen"], deps = ["//lib"])
sh_binary(name = "b_bin", srcs = ["b.sh"], data = ["@other"])
databuild_job(name = "a", binary = ":a_bin", inputs = {"x": dep(":in")}, outputs = [":mid"])
databuild_job(name = "b", binary = ":b_bin", inputs = {"x": dep(":mid")}, outputs = [":out"])
databuild_graph(name = "databuild", jobs = [":a", ":b"])
END
cat >lib/BUILD.bazel <<'END'
load("@rules_shell//shell:sh_library.bzl", "sh_library")
sh_library(name = "lib", srcs = ["lib.sh"], visibility = ["//visibility:public"])
END
for script in a.sh b.sh lib/lib.sh; do printf '#!/bin/sh\n' >"$script"; chmod +x "$script"; done
echo source >gen.src
echo unused >gen.unused

# The fingerprints of both jobs, a line each. Leaves the commands that Bazel ran in the log.
fingerprints() {
  if ! bazel build --subcommands //:databuild "$@" >"$lab/log" 2>&1; then
    cat "$lab/log" >&2
    exit 1
  fi
  sed -n 's/^ *"code": "\(.*\)"$/\1/p' bazel-bin/databuild_/databuild.graph.json
}

# Builds and compares with the fingerprints before: `expect WHAT CHANGED_JOBS [FLAG...]`.
expect() {
  local what=$1 wanted=$2 now changed=
  shift 2
  now=$(fingerprints "$@")
  [ "$(sed -n 1p <<<"$now")" = "$(sed -n 1p <<<"$before")" ] || changed=a
  [ "$(sed -n 2p <<<"$now")" = "$(sed -n 2p <<<"$before")" ] || changed="${changed}b"
  if [ "$changed" = "$wanted" ]; then echo "ok: $what"; else fail "$what: changed '$changed', not '$wanted'"; fi
  before=$now
}

# Whether the last build read the files of a part again.
reread() { grep -q "Fingerprinting //:$1 ($2)" "$lab/log"; }

before=$(fingerprints)
[ "$(wc -l <<<"$before")" = 2 ] || fail "there are not two fingerprints"
expect "nothing" ""
touch a.sh lib/lib.sh
expect "time of a file" ""
echo x >unrelated.txt
expect "an unrelated file" ""
echo '# comment' >>BUILD.bazel
expect "a comment in a BUILD file" ""
echo other >gen.unused
expect "an input of a rule whose output stays the same" ""
chmod -x lib/lib.sh
expect "mode of a file" ""
expect "another compilation mode" "" --compilation_mode=dbg
expect "stamping" "" --stamp
bazel shutdown >/dev/null 2>&1
expect "a new Bazel server" ""

first=$before
echo '# more' >>a.sh
expect "a job's own source" "a"
if reread a ext || reread b main; then fail "an edit of one job's main part read more than that part"; fi
printf '#!/bin/sh\n' >a.sh
expect "that edit taken back" "a"
[ "$before" = "$first" ] || fail "an edit taken back does not give the first fingerprint"
echo 'more' >>gen.src
expect "a source of generated data" "a"
echo '# more' >>lib/lib.sh
expect "a library" "a"
echo '# more' >>"$lab/other/other.sh"
expect "a file of another module" "b"
if reread b main; then fail "an edit in another module read the main part again"; fi
bazel shutdown >/dev/null 2>&1
echo '# more' >>"$lab/other/other.sh"
expect "a file of another module, after a new Bazel server" "b"

sed -i 's/name = "a", /name = "a", args = ["x"], env = {"K": "v"}, retries = 2, /' BUILD.bazel
expect "arguments, environment and retries, which have digests of their own or none" ""
fingerprints --incompatible_use_plus_in_repo_names --nolegacy_external_runfiles >/dev/null
echo "ok: builds with the repository names and runfiles of later versions of Bazel"
bazel run //:databuild -- status 2>/dev/null | grep -qx 'args=status' ||
  fail "bazel run does not start the program with graph and runfiles beside it"

sed -i 's/":in"/":out"/' BUILD.bazel
if bazel build //:databuild >"$lab/log" 2>&1; then
  fail "a graph with a circle was built"
else
  grep -q '^error\[cycle\]: .*//:a' "$lab/log" || fail "the circle is not named: $(grep -A2 '^error' "$lab/log")"
  [ ! -e bazel-bin/databuild_/databuild.graph.json ] || fail "a refused graph left a graph file"
fi

[ "$failures" = 0 ] || exit 1
echo "all fingerprints behave"
