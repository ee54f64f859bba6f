"""An S3 server (moto) on a port of the loopback, in a process of an environment of its own."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

PROGRAM = Path(sys.prefix) / "s3" / "bin" / "moto_server"
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "lab",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_REGION": "us-east-1",
}


@contextlib.contextmanager
def s3_server() -> Iterator[str]:
    """Its address."""
    assert PROGRAM.exists(), f"{PROGRAM} is missing: run `make setup`, which installs it"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [PROGRAM, "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
    )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(1200):
            assert process.poll() is None, "the S3 server ended before it had started"
            with contextlib.suppress(httpx.TransportError):
                httpx.get(address, timeout=5)
                break
            time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait()


def make_bucket(address: str, name: str) -> None:
    httpx.put(f"{address}/{name}", timeout=30).raise_for_status()
