"""Trainable steps of episodes that had not ended when the count was introduced

0002 took the count from the number of steps, which an episode has only once it has ended. What is
stored later adds its own steps and never those from before, so an episode that ended or was given
up without further steps counts none. Then a step without a picture was never recorded: all of them
can be trained on. An episode that went on meanwhile has lost its first part in the count, and
nothing in the database says how long that was: it stays as it is.

Revision ID: 0005
Revises: 0004
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Data with an identity is newer than the count.
    op.execute(
        "UPDATE episodes SET trainable_steps = coalesce(steps, stored_steps) "
        "WHERE trainable_steps = 0 AND stored_steps > 0 AND provenance->'identity' IS NULL"
    )


def downgrade() -> None:
    pass
