#!/usr/bin/env bash
# Runs a command with the system of the Debian root in the place of the machine's own: `enter.sh ROOT COMMAND...`.
#
# In a mount namespace of its own, /usr and /etc become those of ROOT; all else, as the home folder, /tmp, /proc and the
# network, stays what it is, under the same paths. Nothing is mounted for the rest of the machine, and the namespace
# lives as long as the last process in it, so a server that COMMAND starts goes on working when COMMAND has ended.
# The machine's own /etc is at /usr/host-etc.
set -euo pipefail

mount_root() {
  local root=$1 folder
  # Folders below those that are about to be hidden keep their place.
  for folder in "$PWD" "${HOME:-}" "${TMPDIR:-}" "${XDG_CACHE_HOME:-}" "${CARGO_HOME:-}" "$root" "${ENTER_KEEP:-}"; do
    case "$folder" in
      /usr/?* | /etc/?*)
        if [ -d "$folder" ]; then
          mkdir -p "$root$folder"
          mount --rbind "$folder" "$root$folder"
        fi
        ;;
    esac
  done
  mount --rbind /etc "$root/usr/host-etc"
  mount --rbind "$root/etc" /etc
  # A system where /bin, /lib, ... are no links into /usr.
  for folder in bin sbin lib lib64; do
    if [ -d "/$folder" ] && [ ! -L "/$folder" ] && [ -d "$root/usr/$folder" ]; then
      mount --rbind "$root/usr/$folder" "/$folder"
    fi
  done
  mount --rbind "$root/usr" /usr
}

case "$1" in
  --mounting)
    user=$2 group=$3 directory=$4 root=$5
    shift 5
    cd "$directory"
    mount_root "$root"
    # The same folder again, now seen through the new mounts.
    cd "$directory"
    # Libraries and settings of the machine's own programs are wrong for those of the root.
    unset ENTER_KEEP JAVA_HOME LD_LIBRARY_PATH LD_PRELOAD PYTHONHOME
    export PATH="/usr/sbin:/usr/bin:/sbin:/bin${PATH:+:$PATH}"
    if [ "$user" = 0 ]; then
      exec "$@"
    fi
    # Root in the namespace was needed for mounting alone.
    exec unshare --user --map-user="$user" --map-group="$group" -- "$@"
    ;;
esac

root=$1
shift
if [ /usr -ef "$root/usr" ]; then
  # Already inside, as a program that Bazel started.
  exec "$@"
fi
self=$(readlink -f "${BASH_SOURCE[0]}")
user=$(id -u)
as_root=()
if [ "$user" != 0 ]; then
  as_root=(--user --map-root-user)
  if ! unshare "${as_root[@]}" --mount -- true 2>/dev/null; then
    printf '%s\n' "bazelw: this user may make no user namespace, which running Debian's Bazel without root needs." \
      "bazelw: allow it (sysctl kernel.unprivileged_userns_clone=1; on AppArmor systems" \
      "bazelw: kernel.apparmor_restrict_unprivileged_userns=0), run as root, or install bazelisk and use the internet." >&2
    exit 2
  fi
fi
# `slave`: what the machine mounts later appears here too, and nothing of here appears there.
exec unshare "${as_root[@]}" --mount --propagation slave -- \
  bash "$self" --mounting "$user" "$(id -g)" "$PWD" "$root" "$@"
