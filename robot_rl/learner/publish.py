"""New policy versions: only what trained is sent, with what the learner did since the last one."""

from pathlib import Path
from uuid import UUID

from robot_rl.config.task import Task
from robot_rl.learner.feed import ServerClient
from robot_rl.policy.heads import AnyHead
from robot_rl.policy.manifest import CheckpointManifest
from robot_rl.policy.parts import LocalPart, adapter_part, backbone_part, head_part, risk_part
from robot_rl.policy.weights import encode_head
from robot_rl.schema.message import new_id, utc_now
from robot_rl.schema.policy import PolicyManifest, Update, encoder_sha256, parts_sha256


class Publisher:
    """Publishes versions that stand on the backbone of one policy folder."""

    def __init__(
        self, client: ServerClient, task: Task, folder: Path, manifest: CheckpointManifest
    ) -> None:
        self._client, self._task = client, task
        self._starting_algorithm = manifest.algorithm
        self._backbone = backbone_part(folder, manifest)
        self.version: int | None = None

    def publish(
        self,
        head: AnyHead,
        cursor: int,
        update: Update | None,
        *,
        adapter: bytes | None = None,
        risk: bytes | None = None,
    ) -> int:
        """Returns the version's number. Raises ServerRefused or Stopped.

        `adapter`: what training changed in the backbone (robot_rl.policy.adapter). `risk`: the
        critic that judges beside the head (robot_rl.policy.risk_critic).
        """
        added = None if adapter is None else adapter_part(adapter)
        encoder = encoder_sha256(
            self._backbone.part.sha256, None if added is None else added.part.sha256
        )
        trained = head_part(encode_head(head, encoder), head.settings.kind)
        critic = [] if risk is None else [risk_part(risk)]
        local = [self._backbone, *([added] if added else []), trained, *critic]
        stored = self._client.publish(
            self._manifest(local, cursor, update),
            {sha256: data for part in local for sha256, data in part.contents.items()},
        )
        self.version = stored.version
        return stored.version

    def _manifest(
        self, local: list[LocalPart], cursor: int, update: Update | None
    ) -> PolicyManifest:
        parts = tuple(each.part for each in local)
        learning = self._task.learner.algorithm
        return PolicyManifest(
            policy_id=new_id(),
            task=self._task.name,
            parent_version=self.version,
            algorithm=self._starting_algorithm if update is None else learning,
            sha256=parts_sha256(parts),
            size_bytes=sum(part.size_bytes for part in parts),
            parts=parts,
            created_t_utc=utc_now(),
            feed_cursor=cursor,
            update=update,
        )


def interventions_text(interventions: tuple[UUID, ...]) -> str:
    """For the log: how many corrections a version is the first to contain."""
    count = len(interventions)
    return "no new correction" if not count else f"{count} new correction{'s' * (count > 1)}"
