"""SQLite: pins that no version has yet are no change that a cache has to know of."""

from alembic import op

revision = "0007"
down_revision = "0006"

CHANGED = "UPDATE generation SET number = number + 1"
# They are made ahead with an empty span. The commit that gives them one changes its artifact too.
TRIGGERS = (
    ("pin_insert", "INSERT ON pin WHEN NEW.until IS NOT NEW.first"),
    ("pin_update", "UPDATE ON pin WHEN NEW.until IS NOT NULL OR OLD.until IS NOT OLD.first"),
)


def upgrade() -> None:
    """Make the triggers anew."""
    if op.get_bind().dialect.name != "sqlite":
        return
    for name, event in TRIGGERS:
        op.execute(f"DROP TRIGGER generation_{name}")
        op.execute(f"CREATE TRIGGER generation_{name} AFTER {event} BEGIN {CHANGED}; END")
