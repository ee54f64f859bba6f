"""Which blobs are kept: files of policies as rows, segments found by their blob

Revision ID: 0010
Revises: 0009
"""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_segments_sha256", "segments", ["sha256"])
    op.add_column("policies", sa.Column("thinned_t_utc", sa.DateTime(timezone=True)))
    files = op.create_table(
        "policy_files",
        sa.Column("policy_id", sa.Uuid(), sa.ForeignKey("policies.policy_id"), primary_key=True),
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
    )
    op.create_index("ix_policy_files_sha256", "policy_files", ["sha256"])
    known = op.get_bind().execute(sa.text("SELECT policy_id, manifest FROM policies")).all()
    rows = [
        {"policy_id": policy_id, **file} for policy_id, manifest in known for file in _of(manifest)
    ]
    if rows:
        op.bulk_insert(files, rows)


def _of(manifest: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Files of a manifest; before there were parts it was of a head on one backbone."""
    if "backbone" in manifest:
        for role, weights in (("backbone", manifest["backbone"]), ("head", manifest)):
            if weights["size_bytes"]:
                kept = {key: weights[key] for key in ("sha256", "size_bytes")}
                yield {"name": f"{role}.safetensors", **kept}
        return
    for part in manifest["parts"]:
        yield from part["files"]


def downgrade() -> None:
    op.drop_table("policy_files")
    op.drop_column("policies", "thinned_t_utc")
    op.drop_index("ix_segments_sha256", "segments")
