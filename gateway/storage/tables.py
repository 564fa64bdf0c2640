"""The tables of the index: workspaces, artifacts, versions, pins, stages, counters, keys.

The bucket is the truth; but for the counters and the keys made at run time, every row can be
built again from the bucket and the system area.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from gateway.storage.columns import Document, Identifier, Instant, Key, Words

# Conditions of indexes; who wants to be served by one says it in the same words.
COMMITTED = "version > 0"
MARKED = "stage_id IS NOT NULL OR unfinished <> ''"

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


workspace = Table(
    "workspace",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", String(63), nullable=False, unique=True),
    Column("bucket", String(63), nullable=False),
    Column("prefix", Key, nullable=False),
    Column("created_at", Instant, nullable=False),
    # The access key that made it at run time; None for a workspace of the configuration.
    Column("created_by", Words),
    # "" | "making" | "removing": its bucket comes or goes, by the hand of this worker.
    Column("unfinished", String(16), nullable=False, default=""),
    Column("worker_id", String(32)),
)

artifact = Table(
    "artifact",
    metadata,
    Column("id", Identifier, primary_key=True, autoincrement=True),
    Column("workspace_id", String(32), nullable=False),
    Column("prefix", Key, nullable=False),
    # The number of the newest record, tombstones included; and of the version that readers
    # see, 0 when there is none.
    Column("number", Integer, nullable=False, default=0),
    Column("version", Integer, nullable=False, default=0),
    # The number of the newest tombstone: what was committed before it is nobody's to read.
    Column("buried", Integer, nullable=False, default=0),
    Column("collection", Boolean, nullable=False, default=False),
    Column("type", Words),
    Column("fields", Document),
    Column("created_at", Instant),
    Column("modified_at", Instant),
    # The mark: an edit is open. It is written before the first byte of the first change.
    Column("stage_id", String(32)),
    Column("staged_at", Instant),
    Column("staged_by", Words),
    Column("staged_fields", Document),
    Column("staged_etag", Text),
    Column("staged_version_id", Words),
    # "" | "discarding" | "deleting": work that whoever finds it goes on with.
    Column("unfinished", String(16), nullable=False, default=""),
    # Raised by reset_stats and by delete; increments of an older epoch are dropped.
    Column("epoch", Integer, nullable=False, default=0),
    Column("download_micros", BigInteger, nullable=False, default=0),
    Column("views", BigInteger, nullable=False, default=0),
    UniqueConstraint("workspace_id", "prefix"),
    # What readers see, and what they don't see as the bucket holds it: so that neither counting
    # members nor a listing goes through all the others. PostgreSQL's have the same conditions
    # (`storage/postgresql`): named here, they would bring all that SQLAlchemy knows of it.
    Index(
        "ix_artifact_committed",
        "workspace_id",
        "prefix",
        sqlite_where=text(COMMITTED),
    ),
    Index(
        "ix_artifact_marked",
        "workspace_id",
        "prefix",
        sqlite_where=text(MARKED),
    ),
)

version = Table(
    "version",
    metadata,
    Column("artifact_id", ForeignKey("artifact.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("parent", Integer, nullable=False),
    Column("author", Words, nullable=False),
    Column("message", Words),
    Column("created_at", Instant, nullable=False),
    # None: a tombstone.
    Column("manifest", LargeBinary),
    Column("headers", Document),
)

pin = Table(
    "pin",
    metadata,
    Column("id", Identifier, primary_key=True, autoincrement=True),
    Column("artifact_id", ForeignKey("artifact.id"), nullable=False),
    Column("workspace_id", String(32), nullable=False),
    # The whole key in the workspace: the artifact's prefix, "/", and the path.
    Column("key", Key, nullable=False),
    Column("path", Key, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("etag", Text, nullable=False),
    Column("version_id", Words),
    Column("last_modified", Instant, nullable=False),
    Column("content_type", Words, nullable=False),
    Column("weight", BigInteger, nullable=False),
    # Pinned by the versions from `first` to before `until`; None: by the current one.
    Column("first", Integer, nullable=False),
    Column("until", Integer),
    # A committed manifest whose plain key is not written yet has no backend version to name.
    Column("published", Boolean, nullable=False, default=True),
    Index(None, "workspace_id", "key"),
    Index(None, "artifact_id", "path"),
)

staged_file = Table(
    "staged_file",
    metadata,
    Column("artifact_id", ForeignKey("artifact.id"), primary_key=True),
    Column("path", Key, primary_key=True),
    Column("removed", Boolean, nullable=False),
    Column("size", BigInteger),
    Column("etag", Text),
    Column("version_id", Words),
    Column("content_type", Words),
    Column("weight", BigInteger),
)

# Backend versions of a staged file that a later write of the same edit replaced: a discard
# removes what the edit wrote, and nothing that was there before.
staged_version = Table(
    "staged_version",
    metadata,
    Column("artifact_id", ForeignKey("artifact.id"), primary_key=True),
    Column("path", Key, primary_key=True),
    Column("version_id", Words, primary_key=True),
)

announcement = Table(
    "announcement",
    metadata,
    Column("artifact_id", ForeignKey("artifact.id"), primary_key=True),
    Column("path", Key, primary_key=True),
    Column("weight", BigInteger),
    Column("announced_at", Instant, nullable=False),
)

# Uploads in parts that `put_file` began in the edit `stage_id`, "" where it was ended before.
multipart = Table(
    "multipart",
    metadata,
    Column("artifact_id", ForeignKey("artifact.id"), primary_key=True),
    Column("upload_id", Text, primary_key=True),
    Column("path", Key, nullable=False),
    Column("stage_id", String(32), nullable=False),
    Column("completed", Boolean, nullable=False),
    Column("begun_at", Instant, nullable=False),
)

# Directories below a collection that hold files whose member's manifest has not arrived.
arrival = Table(
    "arrival",
    metadata,
    Column("workspace_id", String(32), primary_key=True),
    Column("prefix", Key, primary_key=True),
    # When a file was last about to be put there: while it is on its way, the mark has to stay.
    Column("since", Instant),
)

# What a worker is about to do to the bucket; another finishes it when the worker dies.
intent = Table(
    "intent",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("worker_id", String(32), nullable=False, index=True),
    Column("artifact_id", ForeignKey("artifact.id"), nullable=False, index=True),
    Column("action", String(16), nullable=False),
    Column("path", Key, nullable=False),
    Column("number", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
)

worker = Table(
    "worker",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("host", Text, nullable=False),
    Column("seen_at", Instant, nullable=False),
    # How far the worker's journal is merged, in bytes.
    Column("merged", BigInteger, nullable=False, default=0),
)

daily = Table(
    "daily",
    metadata,
    Column("artifact_id", ForeignKey("artifact.id"), primary_key=True),
    Column("path", Key, primary_key=True),
    Column("day", String(10), primary_key=True),
    Column("downloads", BigInteger, nullable=False),
    Column("micros", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
)

# When clients last downloaded files: for as long as another download of theirs would be the same.
click = Table(
    "click",
    metadata,
    Column("artifact_id", ForeignKey("artifact.id"), primary_key=True),
    Column("path", Key, primary_key=True),
    # A keyed hash of the client.
    Column("client", String(32), primary_key=True),
    Column("at", Instant, nullable=False, index=True),
)

access_key = Table(
    "access_key",
    metadata,
    Column("access_key_id", String(128), primary_key=True),
    Column("secret_encrypted", LargeBinary, nullable=False),
    Column("name", Words, nullable=False),
    Column("grants", JSON, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("created_by", Words, nullable=False),
)
