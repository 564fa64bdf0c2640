"""Double clicks: of one client's downloads of a file that are near to each other, one counts.

The Code of Practice for Research Data, 10.2: a download counts unless the same client's last one
before it is less than the window away. Which worker served them makes no difference: they meet
in the database, in the transaction that adds them.
"""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from sqlalchemy import delete, select

from gateway.storage import tables
from gateway.storage.connection import Connection
from gateway.storage.database import insert_or_update
from gateway.storage.tally import Click, Tally

CLIENTS_AT_ONCE = 500  # well below the parameters that a statement may have

Key = tuple[int, str, str]
"""An artifact, a path, a client."""


async def separate(
    connection: Connection, tally: Tally, epochs: Mapping[int, int], window: timedelta
) -> None:
    """Add those of the tally's clicks to its sums that count, and remember when they came.

    What is remembered goes with the window. Clicks of another epoch than the artifact's now
    are dropped.
    """
    clicks = sorted(
        (click for click in tally.clicks if epochs.get(click.artifact_id) == click.epoch),
        key=lambda click: click.at,
    )
    tally.clicks.clear()
    if not clicks:
        return
    last = await _last(connection, {click.client for click in clicks}) if window else {}
    for click in clicks:
        before = last.get(_key(click))
        if before is None or abs(click.at - before) >= window:
            tally.add(click.artifact_id, click.epoch, click.path, click.micros, click.day)
        last[_key(click)] = click.at if before is None else max(before, click.at)
    if window:
        await _remember(connection, {key: last[key] for key in map(_key, clicks)})
        oldest = clicks[-1].at - window
        await connection.execute(delete(tables.click).where(tables.click.c.at <= oldest))


async def _last(connection: Connection, clients: Collection[str]) -> dict[Key, datetime]:
    """When each of the clients last downloaded what."""
    table, ordered = tables.click, sorted(clients)
    found: dict[Key, datetime] = {}
    for start in range(0, len(ordered), CLIENTS_AT_ONCE):
        some = ordered[start : start + CLIENTS_AT_ONCE]
        rows = await connection.execute(select(table).where(table.c.client.in_(some)))
        found |= {(row.artifact_id, row.path, row.client): row.at for row in rows}
    return found


async def _remember(connection: Connection, times: Mapping[Key, datetime]) -> None:
    rows = [
        {"artifact_id": artifact_id, "path": path, "client": client, "at": at}
        for (artifact_id, path, client), at in sorted(times.items())
    ]
    keys = ["artifact_id", "path", "client"]
    await insert_or_update(connection, tables.click, rows, keys, ["at"])


def _key(click: Click) -> Key:
    return click.artifact_id, click.path, click.client
