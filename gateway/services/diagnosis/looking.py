"""Look around on this host: the folder, its disk, what dead workers left, what is installed."""

import shutil
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryFile

from gateway.config import Config
from gateway.services.diagnosis.verdict import Verdict, failure, ok, warning
from gateway.storage import batches, seaweed
from gateway.storage.workers import WorkersFolder

MEBIBYTE = 1 << 20
SCARCE, FULL = 1024 * MEBIBYTE, 64 * MEBIBYTE
"""Free bytes below which a word is due, and below which a journal may soon be lost."""


async def folder(config: Config) -> Sequence[Verdict]:
    """Whether `data_dir` can be written to, or made, and whether there is room on its disk."""
    path = config.data_dir
    there = path if path.exists() else next(each for each in path.parents if each.exists())
    try:
        with TemporaryFile(dir=there) as file:
            file.write(b"doctor")
            file.flush()
    except OSError as error:
        remedy = f"let this user write to {there}, or choose another data_dir"
        return [failure("data_dir", f"{there}: {error.strerror}", remedy)]
    found = f"{path} is writable" if there == path else f"{path} will be made by the first start"
    return [ok("data_dir", found), _space(there)]


async def journals(config: Config) -> Sequence[Verdict]:
    """Which workers died with downloads that may not be counted yet."""
    if not config.journal_dir.exists():
        return [ok("journals", "none yet")]
    verdicts = []
    unplaced = config.journal_dir.with_name(f"{config.journal_dir.name}-unplaced")
    if unplaced.is_dir() and any(unplaced.iterdir()):
        found = f"{unplaced} holds journals of workers that the database does not know"
        remedy = "were they of another database, start a gateway with it; else remove the folder"
        verdicts.append(warning("journals", found, remedy))
    workers = WorkersFolder(config.journal_dir, make=False)
    dead = [each for each in workers.workers() if not workers.lives(each)]
    waiting = sum(batches.unmerged(workers.directory(each), 0) for each in dead)
    if dead:
        found = f"{len(dead)} workers died and left {waiting} bytes of downloads"
        remedy = "start the gateway on this folder: it counts what is not counted yet"
        verdicts.append(warning("journals", found, remedy))
    return verdicts or [ok("journals", "no worker died and left one")]


async def extras(config: Config) -> Sequence[Verdict]:
    """Which optional extras are installed, and whether the configuration needs another."""
    installed = {
        "postgres": find_spec("asyncpg") is not None,
        "local": _has_seaweed(),
        "hypha": find_spec("msgpack") is not None,
    }
    needed = {
        "hypha": bool(config.hypha_anonymous.rights),
        "postgres": config.database_url.startswith("postgresql"),
        "local": config.backend is None,
    }
    missing = [name for name, need in needed.items() if need and not installed[name]]
    if missing:
        names = ", ".join(missing)
        remedy = f"pip install 'artifact-gateway[{','.join(missing)}]'"
        return [failure("extras", f"the configuration needs {names}", remedy)]
    there = ", ".join(name for name, has in installed.items() if has) or "none"
    rest = ", ".join(name for name, has in installed.items() if not has)
    return [ok("extras", f"installed: {there}" + (f"; not needed: {rest}" if rest else ""))]


def _space(there: Path) -> Verdict:
    free = shutil.disk_usage(there).free
    found = f"{free // MEBIBYTE} MiB are free on the disk of {there}"
    remedy = "make room, or choose another data_dir"
    if free < FULL:
        return failure("disk", found, remedy)
    return warning("disk", found, remedy) if free < SCARCE else ok("disk", found)


def _has_seaweed() -> bool:
    try:
        seaweed.find_binary()
    except seaweed.SeaweedMissing:
        return False
    return True
