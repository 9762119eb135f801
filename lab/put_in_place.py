"""How a new file takes the place of one on the host: at once, and only when it is whole."""

from __future__ import annotations

# Arguments: the new file, its target, mode and owner of one that was not there, and the SHA-256 and size of
# what was sent, both empty where nothing was. A full disk keeps the beginning of it.
#
# `cp --attributes-only` carries owner, mode, ACL and SELinux label of the old file; the label of one that was
# not there comes from the system's policy, or from its folder where the host lacks policycoreutils.
PUT_IN_PLACE = """
new=$1 target=$2 mode=$3 owner=$4 sum=$5 size=$6
trap 'rm -f -- "$new"' EXIT
set -e
if [ -n "$sum" ] && [ "$(sha256sum < "$new")" != "$sum  -" ]; then
    arrived=$(wc --bytes < "$new")
    free=$(df --output=avail --block-size=1 -- "$new" | tail --lines=1)
    echo "$arrived of $size bytes were written, and the rest was not: $free bytes are free there" >&2
    exit 1
fi
if [ -e "$target" ]; then
    cp --archive --attributes-only -- "$target" "$new"
    touch -- "$new"
else
    chmod -- "$mode" "$new"
    if [ -n "$owner" ]; then chown -- "$owner" "$new"; fi
fi
sync -- "$new"
existed=no; if [ -e "$target" ]; then existed=yes; fi
mv --force --no-target-directory -- "$new" "$target"
if [ "$existed" = no ] && [ -e /sys/fs/selinux/enforce ] && command -v restorecon >/dev/null; then
    restorecon -- "$target"
fi
sync -- "$(dirname -- "$target")"
"""
