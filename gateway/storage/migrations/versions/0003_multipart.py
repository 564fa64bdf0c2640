"""Uploads in parts that put_file began."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
IDENTIFIER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "multipart",
        sa.Column("artifact_id", IDENTIFIER, nullable=False),
        sa.Column("upload_id", sa.Text(), nullable=False),
        sa.Column("path", KEY, nullable=False),
        sa.Column("stage_id", sa.String(length=32), nullable=False),
        sa.Column("completed", sa.Boolean(), nullable=False),
        sa.Column("begun_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["artifact_id"], ["artifact.id"], name="fk_multipart_artifact_id"),
        sa.PrimaryKeyConstraint("artifact_id", "upload_id", name="pk_multipart"),
    )
