"""Alembic's entry: called by robot_rl.server.migration, or by `alembic` with DATABASE_URL."""

import os

from alembic import context
from sqlalchemy import Connection, create_engine

from robot_rl.server import figure_days
from robot_rl.server.accounts import tables as accounts

assert figure_days.Base is accounts.Base
METADATA = accounts.Base.metadata
"""Of every table: these modules declare those that are not beside it."""


def run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=METADATA,
        compare_type=True,
        compare_server_default=True,
    )
    with context.begin_transaction():
        context.run_migrations()


given: Connection | None = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    url = os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://", 1)
    engine = create_engine(url)
    with engine.begin() as opened:
        run(opened)
    engine.dispose()
