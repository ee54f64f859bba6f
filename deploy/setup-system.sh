#!/bin/sh
# Looks for the system's libraries that no Python package brings, and installs the missing ones
# where it may (root, with apt). Otherwise it says in one sentence what to install, and goes on.
# Arguments: `runtime` (rendering, USB, compiling) or `browser` (Chromium for the browser tests),
# and a file to leave behind when nothing is missing, so that a complaint is repeated until mended.
set -eu

has_library() { PATH="$PATH:/sbin:/usr/sbin" ldconfig -p | grep -q "$1"; }
has_program() {
    for program in "$@"; do
        if command -v "$program" >/dev/null 2>&1; then return 0; fi
    done
    return 1
}
has_file() {
    for file in "$@"; do
        if [ -e "$file" ]; then return 0; fi
    done
    return 1
}

missing=
stamp=${2:-}
need() { missing="$missing $1"; }

case "${1:-}" in
runtime)
    # MuJoCo renders through EGL; Mesa draws where there is no GPU.
    has_library 'libEGL\.so\.1' || need libegl1
    has_library 'libGL\.so\.1' || need libgl1
    has_file /usr/lib/*/dri/swrast_dri.so /usr/lib64/dri/swrast_dri.so /usr/lib/*/libgallium-*.so ||
        need libgl1-mesa-dri
    # SpaceMouse (hidapi) and RealSense (libusb).
    has_library 'libusb-1\.0\.so\.0' || need libusb-1.0-0
    has_library 'libhidapi-hidraw\.so\.0' || need libhidapi-hidraw0
    has_library 'libhidapi-libusb\.so\.0' || need libhidapi-libusb0
    # evdev is compiled while it is installed.
    has_program cc gcc || need gcc
    has_file /usr/include/linux/input.h || need linux-libc-dev
    ;;
browser)
    has_program chromium chromium-browser google-chrome google-chrome-stable || need chromium
    ;;
*)
    printf "Unknown set '%s': give runtime or browser.\n" "${1:-}" >&2
    exit 2
    ;;
esac

finish() {
    if [ -n "$stamp" ]; then
        mkdir -p "$(dirname "$stamp")"
        : >"$stamp"
    fi
    exit 0
}

[ -n "$missing" ] || finish

if [ "$(id -u)" -eq 0 ] && has_program apt-get; then
    printf 'Installing with apt:%s\n' "$missing"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    # shellcheck disable=SC2086  # a list of package names
    if apt-get install -y -qq --no-install-recommends $missing >/dev/null; then finish; fi
    printf 'apt could not install%s: install them by hand, or expect what needs them to fail.\n' \
        "$missing" >&2
    exit 0
fi
printf 'Missing system packages; install them with: sudo apt-get install%s\n' "$missing" >&2
