#!/bin/sh
# Prepares .venv. `setup-python.sh venv` only creates it, `packages` installs exactly what
# requirements.lock names, `project` this project; no argument does all three. `lock` pins anew.
# `packages EXTRA` installs only what that extra of pyproject.toml needs, at the lock's versions.
set -eu
cd "$(dirname "$0")/.."

say() { printf '%s\n' "$*" >&2; }

# uv from the machine where there is one, else from PyPI into a folder beside the environment.
find_uv() {
    if uv --version >/dev/null 2>&1; then
        echo uv
        return
    fi
    if [ ! -x .venv/uv/bin/uv ]; then
        say "uv is not on this machine: installing it into .venv/uv."
        if ! python3 -m venv .venv/uv >&2 || ! .venv/uv/bin/pip install --quiet "uv>=0.8,<1" >&2; then
            say "uv could not be installed: install it (https://docs.astral.sh/uv) and run this again."
            exit 1
        fi
    fi
    echo .venv/uv/bin/uv
}

create_venv() {
    if .venv/bin/python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 12))' 2>/dev/null; then
        return
    fi
    python=3.12
    if ! "$uv" python find --no-python-downloads 3.12 >/dev/null 2>&1; then
        # A pyenv that is not on the PATH still has its versions.
        for candidate in "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.12.*/bin/python3.12; do
            if [ -x "$candidate" ]; then python=$candidate; fi
        done
    fi
    # `--allow-existing` keeps .venv/uv, which may have been put there a moment ago.
    if ! "$uv" venv --quiet --allow-existing --python "$python" .venv; then
        say "Python 3.12 was not found and could not be fetched: install it (for example with" \
            "'pyenv install 3.12') and run this again."
        exit 1
    fi
}

# Compiled now, once: whoever runs a part later may not be allowed to write here, and would compile
# torch, numba and scipy at every start.
install_packages() {
    "$uv" pip sync --quiet --python .venv/bin/python --require-hashes --compile-bytecode "$1"
}

# setuptools beside the extra: it builds this project.
pin_extra() {
    echo setuptools | "$uv" pip compile pyproject.toml - --extra "$1" --constraint requirements.lock \
        --quiet --generate-hashes --python-version 3.12 --no-emit-index-url --no-emit-find-links \
        --no-annotate --no-header --output-file .venv/requirements.txt
}

install_project() {
    "$uv" pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation --editable .
}

uv=$(find_uv)
case "${1:-install}" in
venv)
    create_venv
    ;;
lock)
    # The lock names packages and hashes only: no index, no host.
    exec "$uv" pip compile pyproject.toml --extra all --extra dev --quiet --generate-hashes \
        --python-version 3.12 --python-platform x86_64-manylinux_2_28 \
        --no-emit-index-url --no-emit-find-links \
        --custom-compile-command "make lock" --output-file requirements.lock
    ;;
packages)
    create_venv
    if [ -n "${2:-}" ]; then
        pin_extra "$2"
        install_packages .venv/requirements.txt
    else
        install_packages requirements.lock
    fi
    ;;
project)
    install_project
    ;;
install)
    create_venv
    install_packages requirements.lock
    install_project
    ;;
*)
    say "Unknown step '$1': give venv, packages, project, install or lock."
    exit 2
    ;;
esac
