"""Accounts, tokens that are listed and expire, sessions of one or the other

Whoever is signed in signs in again after it, in either direction.

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_T = sa.DateTime(timezone=True)
_ONE_MAKER = "num_nonnulls(account, token_sha256) = 1"


def upgrade() -> None:
    op.create_table(
        "users",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text()),
        sa.Column("created_t_utc", _T, server_default=sa.func.now(), nullable=False),
        sa.Column("removed_t_utc", _T),
    )
    op.add_column("tokens", sa.Column("token_id", sa.Uuid()))
    # The server may be of a version without uuidv7().
    op.execute("UPDATE tokens SET token_id = gen_random_uuid()")
    op.alter_column("tokens", "token_id", nullable=False)
    op.create_unique_constraint("uq_tokens_token_id", "tokens", ["token_id"])
    op.add_column("tokens", sa.Column("task", sa.Text()))
    op.add_column("tokens", sa.Column("made_by", sa.Text()))
    op.execute("UPDATE tokens SET made_by = 'environment'")
    op.alter_column("tokens", "made_by", nullable=False)
    op.add_column("tokens", sa.Column("expires_t_utc", _T))
    op.add_column("tokens", sa.Column("last_used_t_utc", _T))
    op.add_column("tokens", sa.Column("revoked_by", sa.Text()))
    op.execute("UPDATE tokens SET revoked_by = 'environment' WHERE revoked_t_utc IS NOT NULL")
    for table in ("login_links", "sessions"):
        op.execute(f"DELETE FROM {table}")
        op.drop_column(table, "user")
        op.drop_column(table, "role")
        op.add_column(table, sa.Column("account", sa.Text()))
        op.add_column(table, sa.Column("token_sha256", sa.String(64)))
        op.create_foreign_key(f"fk_{table}_account", table, "users", ["account"], ["name"])
        op.create_foreign_key(
            f"fk_{table}_token_sha256", table, "tokens", ["token_sha256"], ["sha256"]
        )
        op.create_check_constraint("one_maker", table, _ONE_MAKER)
    op.create_index("ix_sessions_account", "sessions", ["account"])
    op.create_index("ix_sessions_token_sha256", "sessions", ["token_sha256"])
    op.add_column("sessions", sa.Column("session_id", sa.Uuid(), nullable=False))
    op.create_unique_constraint("uq_sessions_session_id", "sessions", ["session_id"])
    op.add_column("sessions", sa.Column("browser", sa.Text(), nullable=False))
    op.add_column("sessions", sa.Column("address", sa.Text(), nullable=False))
    op.add_column("sessions", sa.Column("last_used_t_utc", _T))


def downgrade() -> None:
    for name in ("session_id", "browser", "address", "last_used_t_utc"):
        op.drop_column("sessions", name)
    for table in ("login_links", "sessions"):
        op.execute(f"DELETE FROM {table}")
        op.drop_column(table, "account")
        op.drop_column(table, "token_sha256")
        op.add_column(table, sa.Column("user", sa.Text(), nullable=False))
        op.add_column(table, sa.Column("role", sa.Text(), nullable=False))
    for name in (
        "token_id", "task", "made_by", "expires_t_utc", "last_used_t_utc", "revoked_by",
    ):  # fmt: skip
        op.drop_column("tokens", name)
    op.drop_table("users")
