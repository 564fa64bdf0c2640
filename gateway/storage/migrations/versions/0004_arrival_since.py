"""When a file was last about to be put where a member's manifest has not arrived."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the column; of the marks that are there nobody knows."""
    op.add_column("arrival", sa.Column("since", sa.BigInteger(), nullable=True))
