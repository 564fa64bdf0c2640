"""When clients last downloaded files, for as long as another download would be the same."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
IDENTIFIER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the table of clicks."""
    op.create_table(
        "click",
        sa.Column("artifact_id", IDENTIFIER, nullable=False),
        sa.Column("path", KEY, nullable=False),
        sa.Column("client", sa.String(length=32), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["artifact_id"], ["artifact.id"], name="fk_click_artifact_id"),
        sa.PrimaryKeyConstraint("artifact_id", "path", "client", name="pk_click"),
    )
    op.create_index("ix_click_at", "click", ["at"])
