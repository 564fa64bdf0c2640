"""The schema's history; `versions/` holds one module a change."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection


def configuration() -> Config:
    """Alembic's settings for this folder."""
    settings = Config()
    settings.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    settings.set_main_option("path_separator", "os")
    return settings


def upgrade(connection: Connection) -> None:
    """Bring the schema up to date, in the transaction that `connection` is in."""
    settings = configuration()
    settings.attributes["connection"] = connection
    command.upgrade(settings, "head")
