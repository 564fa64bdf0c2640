"""Look at the database: whether it is there, has this version's schema, and takes a write."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from gateway.config import Config
from gateway.errors import ServiceUnavailable, SlowDown
from gateway.identity import AccessKey
from gateway.services.diagnosis.bounding import reason
from gateway.services.diagnosis.verdict import Verdict, failure, ok, warning
from gateway.storage.database import Database
from gateway.storage.keys import Keys
from gateway.storage.registry import Registry
from gateway.storage.soundness import schema, try_writing

REMEDY = "start the database, or mend database_url"


@dataclass(slots=True)
class Known:
    """What a sound database knows beyond the configuration."""

    keys: Sequence[AccessKey] = ()
    buckets: Iterable[tuple[str, str]] = ()
    """Of each workspace made at run time: name, bucket."""


class Inspecting:
    """Checks of one database. What it `known` is there once `look` has found it sound."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self.known = Known()

    async def look(self) -> Sequence[Verdict]:
        """Whether it answers, its schema is known, and a write is taken; none is kept."""
        url = self._config.database_url
        file = Path(url.removeprefix("sqlite:///")) if url.startswith("sqlite") else None
        if file is not None and not file.exists():
            return [_absent(file)]
        async with Database(url, migrate=False) as database:
            try:
                verdicts = [await self._schema(database)]
            except ServiceUnavailable as error:
                return [failure("database", f"{_where(url)}: {reason(error)}", REMEDY)]
            verdicts.insert(0, ok("database", f"{_where(url)} answers"))
            verdicts.append(await _writes(database))
        return verdicts

    async def _schema(self, database: Database) -> Verdict:
        seen = await schema(database)
        if seen.found is None:
            return ok("schema", "the database is empty: the first start makes the tables")
        if not seen.known:
            found = f"its schema {seen.found} is a later version's"
            remedy = "update artifact-gateway, or restore the database that this version had"
            return failure("schema", found, remedy)
        if seen.found != seen.wanted:
            found = f"its schema is {seen.found}: the next start brings it to {seen.wanted}"
            return warning("schema", found, "back the database up, then restart every gateway")
        keys, entries = Keys(database, self._config.secret), await Registry(database).all()
        stored = await keys.all()
        self.known = Known(
            [each.key for each in stored],
            [(entry.name, entry.bucket) for entry in entries if not entry.configured],
        )
        if unreadable := await keys.unreadable():
            found = f"{len(unreadable)} access keys were made under another secret"
            remedy = "restore `secret`, or revoke them: " + ", ".join(unreadable)
            return warning("schema", found, remedy)
        return ok("schema", f"{seen.found}, as this version has it")


async def _writes(database: Database) -> Verdict:
    check = "database-writes"
    try:
        await try_writing(database)
    except SlowDown as error:
        return warning(check, reason(error), "look who holds the database, and try again")
    except ServiceUnavailable as error:
        remedy = "make the database writable, for this user too, and see to its disk's space"
        return failure(check, reason(error), remedy)
    return ok(check, "a transaction is taken, and was taken back")


def _where(url: str) -> str:
    """The database's place, without the password that is in its URL."""
    parts = urlsplit(url)
    server = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{server}{parts.path}"


def _absent(file: Path) -> Verdict:
    folder = next(each for each in file.parents if each.exists())
    if folder not in (file.parent, file.parent.parent):
        found = f"{file}: its folder is not there"
        return failure("database", found, "make the folder, or mend database_url")
    return ok("database", f"{file} is not there yet: the first start makes it")
