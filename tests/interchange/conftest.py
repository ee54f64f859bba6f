"""Episodes that a simulated robot recorded, in a real Postgres."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pytest

from robot_rl.config import load_task
from robot_rl.config.task import Task
from robot_rl.interchange.video import ordinary_scheduling
from robot_rl.server import migration
from robot_rl.server.blobs import FolderBlobs
from robot_rl.server.database import Database
from robot_rl.server.embedded import EmbeddedPostgres
from robot_rl.server.episodes import EpisodeFilter
from robot_rl.server.recorded import StoredEpisodes, select_recorded
from tests.first_light import load_tables, unpacked
from tests.server.conftest import (
    postgres,  # noqa: F401 (a fixture)
    temporary_database,
)


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """LeRobot's own AV1 encoder leaves the tests' process above everything else, too."""
    with ordinary_scheduling():
        yield


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedLab:
    """`ids`: six episodes, oldest first."""

    database: Database
    folder: Path
    task: Task
    ids: tuple[UUID, ...]

    @property
    def blobs(self) -> FolderBlobs:
        return FolderBlobs(self.folder / "blobs")

    @property
    def source(self) -> StoredEpisodes:
        url = self.database.url.render_as_string(hide_password=False)
        return StoredEpisodes(database_url=url, blobs=self.folder / "blobs")


@pytest.fixture(scope="module")
def lab(
    postgres: EmbeddedPostgres,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[RecordedLab]:
    folder = unpacked(tmp_path_factory.mktemp("first_light"))
    with temporary_database(postgres, "template1") as database:
        load_tables(database, folder / "tables")
        migration.upgrade(database)
        ids = select_recorded(database, EpisodeFilter())
        task = load_task(str(folder / "small_lift.toml"))
        yield RecordedLab(database=database, folder=folder, task=task, ids=ids)
