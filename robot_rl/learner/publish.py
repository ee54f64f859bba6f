"""New policy versions: only the head travels, with what the learner did since the last one."""

from pathlib import Path
from uuid import UUID

from robot_rl.config.task import Task
from robot_rl.learner.feed import ServerClient
from robot_rl.policy.checkpoint import backbone_bytes, backbone_ref
from robot_rl.policy.folder import sha256_of
from robot_rl.policy.head import Head
from robot_rl.policy.manifest import CheckpointManifest
from robot_rl.policy.weights import encode_head
from robot_rl.schema.message import new_id, utc_now
from robot_rl.schema.policy import PolicyManifest, Update


class Publisher:
    """Publishes heads on the backbone of one starting policy."""

    def __init__(
        self, client: ServerClient, task: Task, folder: Path, manifest: CheckpointManifest
    ) -> None:
        self._client, self._task = client, task
        self._folder, self._manifest = folder, manifest
        self._backbone = backbone_ref(manifest)
        self._sent_backbone = False
        self.version: int | None = None

    def publish(self, head: Head, cursor: int, update: Update | None) -> int:
        """Returns the version's number. Raises ServerRefused or Stopped."""
        weights = encode_head(head, self._backbone.sha256)
        algorithm = self._manifest.algorithm if update is None else self._task.learner.algorithm
        manifest = PolicyManifest(
            policy_id=new_id(),
            task=self._task.name,
            parent_version=self.version,
            algorithm=algorithm,
            sha256=sha256_of(weights),
            size_bytes=len(weights),
            backbone=self._backbone,
            created_t_utc=utc_now(),
            feed_cursor=cursor,
            update=update,
        )
        stored = self._client.publish(manifest, weights, self._backbone_bytes())
        self.version = stored.version
        return stored.version

    def _backbone_bytes(self) -> bytes | None:
        """Once per learner process; the server keeps it by its hash."""
        if self._sent_backbone:
            return None
        self._sent_backbone = True
        return backbone_bytes(self._folder, self._manifest)


def interventions_text(interventions: tuple[UUID, ...]) -> str:
    """For the log: how many corrections a version is the first to contain."""
    count = len(interventions)
    return "no new correction" if not count else f"{count} new correction{'s' * (count > 1)}"
