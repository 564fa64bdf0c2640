"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
IDENTIFIER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create every table."""
    _create_workspaces()
    _create_artifacts()
    _create_stages()


def _create_workspaces() -> None:
    """Workspaces, workers and access keys."""
    op.create_table(
        "workspace",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("bucket", sa.String(length=63), nullable=False),
        sa.Column("prefix", KEY, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.Text()),
        sa.Column("unfinished", sa.String(length=16), nullable=False),
        sa.Column("worker_id", sa.String(length=32)),
        sa.PrimaryKeyConstraint("id", name="pk_workspace"),
        sa.UniqueConstraint("name", name="uq_workspace_name"),
    )
    op.create_table(
        "worker",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.Column("merged", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_worker"),
    )
    op.create_table(
        "access_key",
        sa.Column("access_key_id", sa.String(length=128), nullable=False),
        sa.Column("secret_encrypted", sa.LargeBinary(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("grants", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("access_key_id", name="pk_access_key"),
    )


def _create_artifacts() -> None:
    """Artifacts, their versions, pins and counters."""
    op.create_table(
        "artifact",
        sa.Column("id", IDENTIFIER, autoincrement=True, nullable=False),
        sa.Column("workspace_id", sa.String(length=32), nullable=False),
        sa.Column("prefix", KEY, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("buried", sa.Integer(), nullable=False),
        sa.Column("collection", sa.Boolean(), nullable=False),
        sa.Column("type", sa.Text()),
        sa.Column("fields", sa.JSON()),
        sa.Column("created_at", sa.BigInteger()),
        sa.Column("modified_at", sa.BigInteger()),
        sa.Column("stage_id", sa.String(length=32)),
        sa.Column("staged_at", sa.BigInteger()),
        sa.Column("staged_by", sa.Text()),
        sa.Column("staged_fields", sa.JSON()),
        sa.Column("staged_etag", sa.Text()),
        sa.Column("staged_version_id", sa.Text()),
        sa.Column("unfinished", sa.String(length=16), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("download_micros", sa.BigInteger(), nullable=False),
        sa.Column("views", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_artifact"),
        sa.UniqueConstraint("workspace_id", "prefix", name="uq_artifact_workspace_id_prefix"),
    )
    for name, where in (
        ("ix_artifact_committed", "version > 0"),
        ("ix_artifact_marked", "stage_id IS NOT NULL OR unfinished <> ''"),
    ):
        op.create_index(
            name,
            "artifact",
            ["workspace_id", "prefix"],
            sqlite_where=sa.text(where),
            postgresql_where=sa.text(where),
        )
    _create_words()
    op.create_table(
        "version",
        sa.Column("artifact_id", IDENTIFIER, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("parent", sa.Integer(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("message", sa.Text()),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("manifest", sa.LargeBinary()),
        sa.Column("headers", sa.JSON()),
        sa.ForeignKeyConstraint(["artifact_id"], ["artifact.id"], name="fk_version_artifact_id"),
        sa.PrimaryKeyConstraint("artifact_id", "number", name="pk_version"),
    )
    op.create_table(
        "pin",
        sa.Column("id", IDENTIFIER, autoincrement=True, nullable=False),
        sa.Column("artifact_id", IDENTIFIER, nullable=False),
        sa.Column("workspace_id", sa.String(length=32), nullable=False),
        sa.Column("key", KEY, nullable=False),
        sa.Column("path", KEY, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("etag", sa.Text(), nullable=False),
        sa.Column("version_id", sa.Text()),
        sa.Column("last_modified", sa.BigInteger(), nullable=False),
        sa.Column("content_type", sa.Text(), nullable=False),
        sa.Column("weight", sa.BigInteger(), nullable=False),
        sa.Column("first", sa.Integer(), nullable=False),
        sa.Column("until", sa.Integer()),
        sa.Column("published", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["artifact_id"], ["artifact.id"], name="fk_pin_artifact_id"),
        sa.PrimaryKeyConstraint("id", name="pk_pin"),
    )
    op.create_index("ix_pin_artifact_id_path", "pin", ["artifact_id", "path"])
    op.create_index("ix_pin_workspace_id_key", "pin", ["workspace_id", "key"])
    op.create_table(
        "daily",
        sa.Column("artifact_id", IDENTIFIER, nullable=False),
        sa.Column("path", KEY, nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("downloads", sa.BigInteger(), nullable=False),
        sa.Column("micros", sa.BigInteger(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["artifact_id"], ["artifact.id"], name="fk_daily_artifact_id"),
        sa.PrimaryKeyConstraint("artifact_id", "path", "day", name="pk_daily"),
    )


def _create_words() -> None:
    """What artifacts are found by: full-text search, in the words of each database."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute("CREATE VIRTUAL TABLE artifact_words USING fts5(words, tokenize='ascii')")
        return
    op.execute(
        "CREATE TABLE artifact_words (artifact_id BIGINT PRIMARY KEY, words TSVECTOR NOT NULL)"
    )
    op.execute(
        "CREATE INDEX ix_artifact_words_words ON artifact_words USING gin (words)"
        " WITH (fastupdate = off)"
    )


def _create_stages() -> None:
    """What is open: staged files, announcements, arrivals, intents."""
    op.create_table(
        "staged_file",
        sa.Column("artifact_id", IDENTIFIER, nullable=False),
        sa.Column("path", KEY, nullable=False),
        sa.Column("removed", sa.Boolean(), nullable=False),
        sa.Column("size", sa.BigInteger()),
        sa.Column("etag", sa.Text()),
        sa.Column("version_id", sa.Text()),
        sa.Column("content_type", sa.Text()),
        sa.Column("weight", sa.BigInteger()),
        sa.ForeignKeyConstraint(
            ["artifact_id"], ["artifact.id"], name="fk_staged_file_artifact_id"
        ),
        sa.PrimaryKeyConstraint("artifact_id", "path", name="pk_staged_file"),
    )
    op.create_table(
        "staged_version",
        sa.Column("artifact_id", IDENTIFIER, nullable=False),
        sa.Column("path", KEY, nullable=False),
        sa.Column("version_id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["artifact_id"], ["artifact.id"], name="fk_staged_version_artifact_id"
        ),
        sa.PrimaryKeyConstraint("artifact_id", "path", "version_id", name="pk_staged_version"),
    )
    op.create_table(
        "announcement",
        sa.Column("artifact_id", IDENTIFIER, nullable=False),
        sa.Column("path", KEY, nullable=False),
        sa.Column("weight", sa.BigInteger()),
        sa.Column("announced_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["artifact_id"], ["artifact.id"], name="fk_announcement_artifact_id"
        ),
        sa.PrimaryKeyConstraint("artifact_id", "path", name="pk_announcement"),
    )
    op.create_table(
        "arrival",
        sa.Column("workspace_id", sa.String(length=32), nullable=False),
        sa.Column("prefix", KEY, nullable=False),
        sa.PrimaryKeyConstraint("workspace_id", "prefix", name="pk_arrival"),
    )
    op.create_table(
        "intent",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("worker_id", sa.String(length=32), nullable=False),
        sa.Column("artifact_id", IDENTIFIER, nullable=False),
        sa.Column("action", sa.String(length=16), nullable=False),
        sa.Column("path", KEY, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["artifact_id"], ["artifact.id"], name="fk_intent_artifact_id"),
        sa.PrimaryKeyConstraint("id", name="pk_intent"),
    )
    op.create_index("ix_intent_artifact_id", "intent", ["artifact_id"])
    op.create_index("ix_intent_worker_id", "intent", ["worker_id"])
