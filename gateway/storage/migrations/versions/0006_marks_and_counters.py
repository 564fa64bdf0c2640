"""SQLite: marks of commits and arrivals count as changes too; counters are counted apart."""

from alembic import op

revision = "0006"
down_revision = "0005"

CHANGED = "UPDATE generation SET number = number + 1"
COUNTED = "UPDATE generation SET counted = counted + 1"
# Of what workers intend, commits alone are a mark.
TRIGGERS = (
    ("arrival_insert", "INSERT ON arrival", CHANGED),
    ("arrival_delete", "DELETE ON arrival", CHANGED),
    ("arrival_update", "UPDATE OF workspace_id, prefix ON arrival", CHANGED),
    ("intent_insert", "INSERT ON intent WHEN NEW.action = 'commit'", CHANGED),
    ("intent_delete", "DELETE ON intent WHEN OLD.action = 'commit'", CHANGED),
    ("intent_update", "UPDATE OF artifact_id, action ON intent", CHANGED),
    ("counters_update", "UPDATE OF download_micros, views ON artifact", COUNTED),
)


def upgrade() -> None:
    """Add the second number, and the triggers that count."""
    if op.get_bind().dialect.name != "sqlite":
        return
    op.execute("ALTER TABLE generation ADD COLUMN counted INTEGER NOT NULL DEFAULT 1")
    for name, event, statement in TRIGGERS:
        op.execute(f"CREATE TRIGGER generation_{name} AFTER {event} BEGIN {statement}; END")
