"""Where a robot keeps policy versions, and how they lie there.

    parts/<sha256>        a file of a part, kept once, whatever versions it belongs to
    parts/<sha256>.part   the beginning of one that is being fetched
    <sha256>/version.json, head.safetensors, …   hard links to its files; `acted` once it acted

A folder is named after the hash of its manifest's parts. The same parts published again have a
number of their own and the same folder: version.json holds the number that was wanted last.

Folders from before there were parts have the same names in them, and `backbones/` in place of
`parts/`. Nothing here loads torch: the link lays versions down, the actor finds them.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from robot_rl import durable_file
from robot_rl.schema.policy import PartFile, PolicyVersion

VERSION = "version.json"
ACTED = "acted"
KEPT = 5  # newest versions, whether or not they acted
_PARTS = "parts"


class VersionStore:
    """`policies/` in a robot's data folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._parts = folder / _PARTS

    def folder_of(self, policy: PolicyVersion) -> Path:
        """Where a version lies, or will."""
        return self.folder / policy.manifest.sha256

    def whole(self, policy: PolicyVersion) -> bool:
        """Whether all of a version is here, under its number."""
        try:
            held = read_version(self.folder_of(policy))
        except (OSError, ValueError):
            return False
        return (held.version, held.manifest.task) == (policy.version, policy.manifest.task)

    def holds(self, file: PartFile) -> bool:
        return self._source(file) is not None

    def partial(self, file: PartFile) -> Path:
        """Where the beginning of a file is kept while it is fetched."""
        durable_file.make_folder(self._parts)
        return self._parts / f"{file.sha256}{durable_file.PART}"

    def keep(self, file: PartFile) -> None:
        """What was fetched is whole and on the disk: from now on it is held."""
        durable_file.put(self.partial(file), self._parts / file.sha256)

    def lay_down(self, policy: PolicyVersion) -> Path:
        """A version whose files are all held: its folder, complete once version.json is in it."""
        folder = self.folder_of(policy)
        for file in policy.manifest.files:
            place, source = folder / file.name, self._source(file)
            if source is None:
                raise FileNotFoundError(f"{file.sha256} is not among the parts in {self._parts}")
            durable_file.make_folder(place.parent)
            if not place.exists():
                os.link(source, place)
        durable_file.sync_folder(folder)
        durable_file.write(folder / VERSION, policy.model_dump_json(indent=1).encode())
        return folder

    def find(self, task: str, version: int) -> Path | None:
        """The folder of a version that is here; None when it is not, or cannot be read."""
        for policy, folder in self._versions():
            if policy.version == version and policy.manifest.task == task:
                return folder
        return None

    def prune(self, *, keep: tuple[int | None, ...]) -> None:
        """Remove versions that are neither among the newest nor in `keep` nor ever acted here;
        then the parts that no version has any more, and what was begun and given up.
        """
        versions = sorted(self._versions(), key=lambda each: each[0].version, reverse=True)
        for policy, folder in versions[KEPT:]:
            if policy.version not in keep and not (folder / ACTED).exists():
                shutil.rmtree(folder, ignore_errors=True)
        for part in self._parts.glob("*"):
            if part.stat().st_nlink == 1:
                part.unlink()

    def _versions(self) -> Iterator[tuple[PolicyVersion, Path]]:
        for file in self.folder.glob(f"*/{VERSION}"):
            try:
                yield read_version(file.parent), file.parent
            except (OSError, ValueError):
                continue  # being written, damaged, or not ours: left alone

    def _source(self, file: PartFile) -> Path | None:
        before_parts = self.folder / "backbones" / f"{file.sha256}.safetensors"
        for path in (self._parts / file.sha256, before_parts):
            if path.is_file():
                return path
        return None


def read_version(folder: Path) -> PolicyVersion:
    """Raises OSError or ValueError."""
    return PolicyVersion.model_validate_json((folder / VERSION).read_bytes())


def mark_acted(folder: Path) -> None:
    """A version that acted is never pruned."""
    (folder / ACTED).touch()
