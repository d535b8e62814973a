# shellcheck shell=bash
# The browser and the packages of the tests of the web UI. Sourced; exports
#   UI_CHROMIUM   Chromium: the one in PATH, or Debian's, unpacked into the cache folder as ./bazelw's programs are
#   UI_PACKAGES   a folder of the cache with what package-lock.json pins, and Node for it
# Needs npm, or Debian's packages, from which it comes with the browser.

set_up_ui_tools() {
  local folder tools cache work root digest names=() npm=(npm)
  folder=$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)
  tools=$(cd "$folder/../../tools/bazel" && pwd)
  # shellcheck source=tools/bazel/paths.sh
  . "$tools/paths.sh"

  UI_CHROMIUM=$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)
  if [ -z "$UI_CHROMIUM" ] || ! command -v npm >/dev/null; then
    root="$cache/browser-1-$(uname -m)-$(digest_of "$folder/packages.txt")"
    [ -d "$root" ] || "$tools/setup.sh" --root "$root" "$folder/packages.txt" </dev/null >&2
    command -v npm >/dev/null || npm=("$tools/enter.sh" "$root" npm)
    if [ -z "$UI_CHROMIUM" ]; then
      # One program, as the driver starts it.
      UI_CHROMIUM="$root/usr/bin/databuild-chromium"
      printf '#!/bin/sh\nexec bash "%s/enter.sh" "%s" chromium "$@"\n' "$tools" "$root" >"$UI_CHROMIUM.new"
      chmod +x "$UI_CHROMIUM.new"
      mv -T "$UI_CHROMIUM.new" "$UI_CHROMIUM"
    fi
  fi

  names=("$folder/package.json" "$folder/package-lock.json" "$folder/.npmrc")
  digest=$(digest_of "${names[@]}")
  UI_PACKAGES="$cache/ui-$digest"
  if [ ! -d "$UI_PACKAGES" ]; then
    mkdir -p "$cache"
    work=$(mktemp -d "$cache/ui.XXXXXX")
    cp "${names[@]}" "$work"
    # No script of a package runs.
    (cd "$work" && "${npm[@]}" ci --silent --ignore-scripts --no-audit --no-fund) >&2
    mv -T "$work" "$UI_PACKAGES" 2>/dev/null || rm -rf "$work"
  fi
  export UI_CHROMIUM UI_PACKAGES
}

set_up_ui_tools
