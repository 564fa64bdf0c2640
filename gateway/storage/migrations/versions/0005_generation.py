"""SQLite: how often what a cache may hold has changed; PostgreSQL is asked each time."""

from alembic import op

revision = "0005"
down_revision = "0004"

COUNTED = "UPDATE generation SET number = number + 1"
# All of an artifact but its counters, which merges change all the time.
ARTIFACT = (
    "workspace_id, prefix, number, version, buried, collection, type, fields, created_at, "
    "modified_at, stage_id, staged_at, staged_by, staged_fields, staged_etag, "
    "staged_version_id, unfinished, epoch"
)
UPDATED = {"artifact": f"UPDATE OF {ARTIFACT}"}


def upgrade() -> None:
    """Create the table and the triggers that count; a table made anew needs its own again."""
    if op.get_bind().dialect.name != "sqlite":
        return
    op.execute("CREATE TABLE generation (number INTEGER NOT NULL)")
    op.execute("INSERT INTO generation VALUES (1)")
    for table in ("artifact", "pin", "workspace", "access_key"):
        for event in ("INSERT", "DELETE", UPDATED.get(table, "UPDATE")):
            name = f"generation_{table}_{event.split()[0].lower()}"
            op.execute(f"CREATE TRIGGER {name} AFTER {event} ON {table} BEGIN {COUNTED}; END")
