"""What every test stands on: an environment without network, display or GPU, and printed seeds."""

import logging
import os
import subprocess
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

# Before anything that reads them is imported.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_DATASETS_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("MUJOCO_GL", "egl")
# One thread per process: the suite runs many small processes on few cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import hypothesis
import numpy as np
import pytest

if TYPE_CHECKING:
    from robot_rl.rehearsal.report import RehearsalReport

hypothesis.settings.register_profile(
    "suite",
    deadline=None,  # no test depends on how fast this machine is
    derandomize=True,
    print_blob=True,
)
hypothesis.settings.register_profile("search", deadline=None, max_examples=2000, print_blob=True)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))

ROOT_SEED = 20_261_122


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--seed`, the root of every random test."""
    parser.addoption("--seed", type=int, default=ROOT_SEED, help="root seed of the random tests")


def pytest_report_header(config: pytest.Config) -> str:
    """Name the seed that repeats this run."""
    return f"root seed: {config.getoption('--seed')} (repeat with --seed)"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests last: Playwright leaves a running event loop, in which asyncio.run fails. Long
    ones first, so that no worker is left with one of them alone at the end.
    """

    def place(item: pytest.Item) -> int:
        if item.get_closest_marker("browser"):
            return 2
        return 0 if item.get_closest_marker("beside") else 1

    items.sort(key=place)


@pytest.fixture(autouse=True)
def root_level() -> Iterator[None]:
    """A library that logs everything from here on would fill the memory of all later tests."""
    level = logging.root.level
    yield
    logging.root.setLevel(level)


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """A seed of this test's own, the same in every order; printed when the test fails."""
    root = request.config.getoption("--seed")
    own = zlib.crc32(f"{root}:{request.node.nodeid}".encode())
    print(f"seed: {own} (root {root})")
    return own


@pytest.fixture
def rng(seed: int) -> np.random.Generator:
    """A generator from this test's own seed."""
    return np.random.default_rng(seed)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of its own, of 1 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)], capture_output=True
    )
    if mount.returncode:
        pytest.skip("this user may not mount a file system")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture(scope="session")
def rehearsed() -> Iterator["tuple[RehearsalReport, Path]"]:
    """One whole rehearsal with a killed learner and a killed server, and the folder of its records.

    Shared by every test that looks at what a rehearsal leaves behind: it takes about a minute. The
    folder is not pytest's own: as root, Postgres runs as another user and must be able to enter it.
    """
    from robot_rl.rehearsal.session import rehearse
    from robot_rl.rehearsal.settings import RehearsalSettings
    from tests.rehearsal.short_task import short_task

    with tempfile.TemporaryDirectory(prefix="robot-rl-test-") as folder:
        data = Path(folder)
        settings = RehearsalSettings(
            cell="simulation",
            task=os.fspath(short_task(data)),
            episodes=6,
            evaluations=1,
            demonstrations=1,
            kill=("learner", "server"),
            seed=3,
        )
        yield rehearse(settings, data, quiet=True), data
