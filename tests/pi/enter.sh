#!/usr/bin/env bash
# Run a command inside an arm64 root folder, as a Raspberry Pi 4 would: QEMU_CPU=cortex-a72 (Pi 5: cortex-a76).
#
#   tests/pi/enter.sh ROOT [--bind FOLDER INSIDE]... -- COMMAND [ARGUMENT]...
#
# The kernel's switch for foreign programs (binfmt_misc) is mounted and set in a user namespace of its own: the host is left
# as it is, nobody needs to be root, and there is no network inside. Needs Linux 6.7 and user namespaces. QEMU names the
# emulator (default: qemu-aarch64-static on PATH).
set -euo pipefail
root=$(realpath "$1")
shift
binds=()
while [ "$1" = --bind ]; do
    binds+=("$(realpath "$2")" "$3")
    shift 3
done
[ "$1" = -- ] && shift
export QEMU_CPU=${QEMU_CPU:-cortex-a72} EDGE_FACENET_EMULATED=qemu
PATH=$PATH:$root/../tools/usr/bin # where build.sh unpacks what is not installed
qemu=$(command -v "${QEMU:-qemu-aarch64-static}" || true)
[ -n "$qemu" ] || { echo "there is no ${QEMU:-qemu-aarch64-static}: tests/pi/build.sh fetches it" >&2 && exit 77; }
# Debian's second name of the emulator, by which it learns that argv[0] is handed on (flag P).
twin=$(dirname "$(realpath "$qemu")")/../libexec/qemu-binfmt/aarch64-binfmt-P
flags=OF
if [ -e "$twin" ]; then qemu=$twin flags=OPF; fi

# shellcheck disable=SC2016
exec unshare --user --map-root-user --mount --net --pid --fork --kill-child bash -c '
    set -euo pipefail
    root=$1 qemu=$2 flags=$3 count=$4
    shift 4
    mount --bind "$root" "$root"
    while [ "$count" -gt 0 ]; do
        mkdir -p "$root$2"
        mount --rbind "$1" "$root$2"
        shift 2
        count=$((count - 2))
    done
    switch=$root/tmp/.binfmt
    mkdir -p "$switch" "$root/dev/shm" "$root/proc"
    mount -t binfmt_misc none "$switch"
    magic="\\x7fELF\\x02\\x01\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x02\\x00\\xb7\\x00"
    mask="\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x00\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xfe\\xff\\xff\\xff"
    echo ":aarch64:M::$magic:$mask:$qemu:$flags" >"$switch/register"
    for name in null zero urandom random; do
        touch "$root/dev/$name"
        mount --bind "/dev/$name" "$root/dev/$name"
    done
    mount -t tmpfs none "$root/dev/shm"
    # A fresh /proc where the kernel allows one; the emulator would show the PC below it, so the Pi tells of its processor.
    if mount -t proc none "$root/proc" 2>/dev/null; then mount --bind "$root/etc/pi/cpuinfo" "$root/proc/cpuinfo"; fi
    exec chroot "$root" "$@"' enter "$root" "$qemu" "$flags" "${#binds[@]}" ${binds[@]+"${binds[@]}"} "$@"
