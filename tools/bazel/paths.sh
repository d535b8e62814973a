# shellcheck shell=bash
# Where ./bazelw keeps what it sets up. Sourced; needs `tools`, this folder. Each part's name ends in a digest of what it
# is made from, so that a change makes a new one and leaves one that is in use alone.

cache="${XDG_CACHE_HOME:-${HOME:?is not set, so there is no cache folder}/.cache}/databuild/bazel"

# Raised when setup.sh comes to make something else of the same inputs.
root_format=2
generator_format=1
rules_format=1

: "${tools:?is this folder}"
digest_of() { cat -- "$@" | sha256sum | cut -c1-12; }

root="$cache/debian-$root_format-$(uname -m)-$(digest_of "$tools/packages.txt")"
generator="$cache/cargo-bazel-$generator_format-$(uname -m)-$(digest_of "$tools/packages.txt" "$tools/cargo-bazel.patch")"
rules="$cache/rules-$rules_format-$({
  printf '%s\n' "$generator"
  find "$tools/offline" -type f -print0 | LC_ALL=C sort -z | xargs -0 cat -- "$tools/enter.sh"
} | sha256sum | cut -c1-12)"

# Is the set-up complete? Each part appears by a rename, whole or not at all.
is_set_up() { [ -d "$root" ] && [ -d "$generator" ] && [ -d "$rules" ]; }

say() { printf 'bazelw: %s\n' "$*" >&2; }
refuse() {
  say "$@"
  exit 2
}
