"""A server that was restored: who it is, and what of the robots' recording is lost

Revision ID: 0015
Revises: 0014
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_NEW_ID = sa.text("gen_random_uuid()")


def upgrade() -> None:
    op.create_table(
        "server_identity",
        sa.Column("only", sa.Boolean(), server_default=sa.text("true"), primary_key=True),
        sa.Column("server_id", sa.Uuid(), server_default=_NEW_ID, nullable=False),
        sa.Column("generation", sa.Uuid(), server_default=_NEW_ID, nullable=False),
        sa.Column("restored_t_utc", sa.DateTime(timezone=True)),
    )
    op.execute("INSERT INTO server_identity DEFAULT VALUES")
    op.create_table(
        "lost_rows",
        sa.Column("robot", sa.Text(), sa.ForeignKey("robots.name"), primary_key=True),
        sa.Column("boot_epoch", sa.Uuid(), primary_key=True),
        sa.Column("first_sequence", sa.BigInteger(), primary_key=True),
        sa.Column("last_sequence", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column(
            "t_utc", sa.DateTime(timezone=True), server_default=sa.func.now(), nullable=False
        ),
    )


def downgrade() -> None:
    op.drop_table("lost_rows")
    op.drop_table("server_identity")
