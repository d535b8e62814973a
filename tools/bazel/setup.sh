#!/usr/bin/env bash
# Sets up Debian's Bazel below the cache folder, for ./bazelw on a machine that reaches only package registries. Uses
# apt's own settings of this machine to find and check the packages, cargo's for the one program built from source; runs
# without root, and changes nothing outside the cache folders.
#
#   setup.sh                      what ./bazelw needs
#   setup.sh --root FOLDER FILE   another root, with the packages that FILE lists, for what is not needed to build
#
# Three parts, each made in a temporary folder and renamed when whole (paths.sh has their names):
#   root       Debian packages, unpacked; enter.sh runs programs in it
#   generator  cargo-bazel, which crate_universe runs, built from the source in bazel-rules-rust
#   rules      modules and repositories that Bazel is told to use in place of those it would download, and the rc file
set -euo pipefail
tools=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
# shellcheck source=tools/bazel/paths.sh
. "$tools/paths.sh"

suite=forky
packages="$tools/packages.txt"
started=$SECONDS
log="$cache/setup.log"
work="$cache/setup.tmp"

step() { say "[$((SECONDS - started)) s] $*"; }
failed() {
  local status=$?
  # Background jobs of this shell first, so that nothing writes below the folder that goes.
  local job
  for job in $(jobs -p); do kill "$job" 2>/dev/null || true; done
  if [ "$status" -ne 0 ]; then
    say "setting up failed; the end of $log:"
    tail -n 25 "$log" >&2 || true
    say "what was fetched is kept; run the command again to try again"
  fi
}

# apt with a state of its own: this machine's sources are read for the mirror, its installed packages play no part.
debian_apt() {
  local state="$cache/apt"
  apt-get -q -y \
    -o Dir::State="$state/state" -o Dir::State::status="$state/status" -o Dir::Cache="$state/cache" \
    -o Dir::Etc::SourceList="$state/sources.list" -o Dir::Etc::SourceParts=/dev/null \
    -o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts=/dev/null \
    -o APT::Sandbox::User= -o APT::Install-Recommends=false -o Acquire::Languages=none \
    -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false \
    -o Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled=false \
    -o Acquire::Check-Valid-Until=false -o Acquire::Retries=3 \
    -o APT::Update::Post-Invoke= -o APT::Update::Post-Invoke-Success= -o DPkg::Post-Invoke= \
    "$@" >>"$log" 2>&1
}

# The Debian mirror that this machine's apt uses.
mirror() {
  local uri
  # shellcheck disable=SC2016 # apt replaces the dollar signs
  uri=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 2>/dev/null | grep -E '/debian/?$' | head -n 1 || true)
  if [ -z "$uri" ]; then
    say "apt names no Debian mirror: look at /etc/apt/sources.list"
    return 1
  fi
  printf '%s\n' "$uri"
}

configure_apt() {
  local keyring package
  for keyring in /usr/share/keyrings/debian-archive-keyring.{pgp,gpg}; do
    [ -e "$keyring" ] && break
  done
  [ -e "$keyring" ] || refuse "no Debian archive keys: install debian-archive-keyring, or bazelisk"
  mkdir -p "$cache/apt/state/lists/partial" "$cache/apt/cache/archives/partial"
  printf 'deb [signed-by=%s] %s %s main\n' "$keyring" "$(mirror)" "$suite" >"$cache/apt/sources.list"
  # A package that is "installed" is not fetched.
  sed -n 's/^-//p' "$packages" | while read -r package; do
    printf 'Package: %s\nStatus: install ok installed\nVersion: 999:1\nArchitecture: all\nMaintainer: none <none@invalid>\nDescription: left out\n\n' "$package"
  done >"$cache/apt/status"
}

# Unpacks every fetched package that is not unpacked yet. No script of a package runs.
unpack() {
  local archives="$cache/apt/cache/archives"
  mkdir -p "$work/root" "$work/unpacked"
  # base-files brings the links from /bin and the like that others are unpacked through.
  [ -e "$work/root/bin" ] || unpack_one "$archives"/base-files_*.deb
  export work
  export -f unpack_one
  find "$archives" -maxdepth 1 -name '*.deb' -print0 | xargs -0 -r -n 1 -P "$(nproc)" bash -c 'unpack_one "$0"'
}

unpack_one() {
  set -euo pipefail
  local done_mark="$work/unpacked/${1##*/}"
  [ ! -e "$done_mark" ] || return 0
  dpkg-deb --fsys-tarfile "$1" | tar -x -C "$work/root" --no-same-owner --keep-directory-symlink \
    --exclude='./usr/share/doc' --exclude='./usr/share/info' --exclude='./usr/share/lintian' \
    --exclude='./usr/share/locale' --exclude='./usr/share/man'
  : >"$done_mark"
}

# What the packages' scripts would have done and programs here need.
finish_root() {
  local new="$work/root" name
  for name in cc:gcc c++:g++ awk:mawk java:../lib/jvm/default-java/bin/java which:which.debianutils; do
    ln -sfn "${name#*:}" "$new/usr/bin/${name%%:*}"
  done
  cp "$new/usr/share/libc-bin/nsswitch.conf" "$new/etc/nsswitch.conf"
  # An option of Debian's of which its own Bazel warns at each start that it is deprecated. The root comes in two steps, of
  # which the second brings Bazel.
  [ ! -e "$new/etc/bazel/bazelrc" ] || sed -i '/--host_javabase=/d' "$new/etc/bazel/bazelrc"
  mkdir -p "$new/usr/host-etc" "$new/etc/ssl/certs/java"
  # The machine's own, as they are when they are read.
  for name in group hostname hosts localtime passwd resolv.conf ssl/certs/ca-certificates.crt timezone; do
    ln -sfn "/usr/host-etc/$name" "$new/etc/$name"
  done
  "$tools/enter.sh" "$new" ldconfig >>"$log" 2>&1
}

# Java's list of trusted certificates, from the machine's, so that a proxy's own certificate is in it.
# Runs in the root.
trust_certificates() {
  local folder bundle=${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}
  [ -e "$bundle" ] || bundle=/etc/ssl/certs/ca-certificates.crt
  folder=$(mktemp -d)
  if [ -e "$bundle" ]; then
    awk -v d="$folder" '/-BEGIN CERTIFICATE-/ { n++; f = sprintf("%s/%04d.crt", d, n) } f { print > f }
      /-END CERTIFICATE-/ { close(f); f = "" }' "$bundle"
  else
    cp /usr/share/ca-certificates/mozilla/*.crt "$folder"
    cat "$folder"/*.crt >/etc/ssl/certs/bundle.crt
    ln -sfn bundle.crt /etc/ssl/certs/ca-certificates.crt
  fi
  printf '+%s\n' "$folder"/*.crt | java -Xmx64m -jar /usr/share/ca-certificates-java/ca-certificates-java.jar -storepass changeit
  rm -r "$folder"
}

# Runs in the root, beside the unpacking of what it does not need; unoptimized, for it runs for a second at a time.
build_generator() {
  local source="$work/cargo-bazel"
  cp -r --no-preserve=ownership /usr/share/bazel/rules/rust/crate_universe "$source"
  cd "$source"
  patch -p1 <"$tools/cargo-bazel.patch"
  # The locked version does not know where cargo has kept its index since 1.85.
  cargo update --package crates-index --precise 3.8.0
  CARGO_INCREMENTAL=0 CARGO_PROFILE_DEV_DEBUG=0 CARGO_TARGET_DIR="$source/target" \
    cargo build --locked --bin cargo-bazel
  mkdir "$work/generator"
  strip -o "$work/generator/cargo-bazel" "$source/target/debug/cargo-bazel"
  mv -T "$work/generator" "$generator"
  rm -rf "$source"
}

make_rules() {
  local new="$work/rules" name triple cpu
  cpu=$(uname -m)
  triple="$cpu-unknown-linux-gnu"
  cp -r "$tools/offline" "$new"
  for name in apple_support aspect_rules_js protobuf zlib; do
    mkdir "$new/$name"
    printf 'module(name = "%s")\n' "$name" >"$new/$name/MODULE.bazel"
    : >"$new/$name/BUILD.bazel"
  done
  for name in rust_toolchains rust_host_tools; do
    mkdir -p "$new/$name/bin"
    : >"$new/$name/REPO.bazel"
  done
  ln -s /usr/bin/{cargo,clippy-driver,rustc,rustdoc,rustfmt} "$new/rust_toolchains/bin/"
  ln -s /usr/bin/rustc "$new/rust_host_tools/bin/"
  mkdir "$new/rust_toolchains/lib"
  ln -s /usr/lib/rustlib "$new/rust_toolchains/lib/rustlib"
  sed -i "s/@TRIPLE@/$triple/; s/@CPU@/$cpu/" "$new/rust_toolchains/BUILD.bazel"
  sed -i "s|@RULES@|$rules|; s|@GENERATOR@|$generator|; s|@CACHE@|$cache|" "$new/bazelrc" "$new/rules_rust.bazelrc" "$new/rust_host_tools/bin/cargo"
  # Independent of this repository, for what is started outside it.
  cp "$tools/enter.sh" "$new/enter.sh"
  printf '#!/bin/sh\nexec bash "%s/enter.sh" "%s" "$@"\n' "$rules" "$root" >"$new/enter"
  chmod +x "$new/enter"
  mv -T "$new" "$rules"
}

# Does a part of this script, unless it is done: `main IS_DONE DO`.
main() {
  mkdir -p "$cache"
  exec 9>"$cache/setup.lock"
  flock -n 9 || {
    say "another set-up is running; waiting for it"
    flock 9
  }
  if "$1"; then return; fi
  : >"$log"
  trap failed EXIT
  rm -rf "$work"
  mkdir "$work"
  # From here nothing inherits the lock.
  "$2" 9>&-
  rm -rf "$work" "$cache/apt/cache/archives"
  step "it is set up"
}

# Fetches the packages of the root that is being made, and unpacks them.
fetch_packages() {
  # shellcheck disable=SC2046 # a word per package
  debian_apt install --download-only '?essential' $(grep -v '^[-#]' "$packages")
  step "unpacking them"
  unpack
  finish_root
}

has_other_root() { [ -d "$other" ]; }

set_up_other_root() {
  step "asking Debian $suite which packages there are (log: $log)"
  configure_apt
  debian_apt update
  step "fetching those of $packages"
  fetch_packages
  mv -T "$work/root" "$other"
}

set_up() {
  local building=
  if [ ! -d "$root" ] || [ ! -d "$generator" ]; then
    step "asking Debian $suite which packages there are (log: $log)"
    configure_apt
    debian_apt update
  fi
  if [ ! -d "$root" ]; then
    step "fetching the Rust compiler"
    debian_apt install --download-only '?essential' bazel-rules-rust cargo gcc libc6-dev mawk patch rustc
    step "unpacking it"
    unpack
    finish_root
  fi
  if [ ! -d "$generator" ]; then
    step "building cargo-bazel in the background (some minutes of two cores)"
    in_root build_generator &
    building=$!
  fi
  if [ ! -d "$root" ]; then
    step "fetching Bazel, Java and the rest (about 400 MB)"
    fetch_packages
    in_root trust_certificates
  fi
  if [ ! -d "$rules" ]; then make_rules; fi
  if [ -n "$building" ]; then
    step "waiting for cargo-bazel"
    wait "$building"
  fi
  if [ ! -d "$root" ]; then mv -T "$work/root" "$root"; fi
}

# Runs a function of this file in the root that is being made, or in the finished one.
in_root() {
  local system="$work/root"
  [ ! -d "$root" ] || system=$root
  "$tools/enter.sh" "$system" bash "$tools/setup.sh" --run "$1" >>"$log" 2>&1
}

case "${1:-}" in
  --run) "$2" ;;
  --root)
    other=$2 packages=$3
    main has_other_root set_up_other_root
    ;;
  *) main is_set_up set_up ;;
esac
