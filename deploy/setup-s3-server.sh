#!/bin/sh
# An S3 server for the tests (moto, Apache-2.0), in an environment of its own: it needs an older
# python-dateutil than the others do.
set -eu
cd "$(dirname "$0")/.."
uv=$(command -v uv || echo .venv/uv/bin/uv)
"$uv" venv --quiet --allow-existing --python .venv/bin/python .venv/s3
"$uv" pip sync --quiet --python .venv/s3/bin/python --require-hashes deploy/s3-server.lock
