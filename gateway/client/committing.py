"""Commits once: what becomes of a commit whose answer got lost is looked up."""

from gateway.client.errors import CommitConflict, Failed, NoSuchArtifact, NotReached
from gateway.client.listing import State, files_below
from gateway.client.methods import AsyncMethods
from gateway.client.patience import Patience
from gateway.client.results import Commit, Pin, Version

_JOBS = 8


async def commit(
    methods: AsyncMethods, patience: Patience, prefix: str, message: str | None
) -> Commit:
    """What `AsyncClient.commit` returns."""
    before = _newest(await _versions(methods, prefix))
    try:
        return await AsyncMethods.commit(methods, prefix, message)
    except Failed as error:
        if isinstance(error, NotReached) and error.unsent:
            raise
        made = await _look(methods, patience, prefix, before)
        if made is None:
            error.add_note(
                f"No version of {prefix!r} has come since: the edit seems to be open as it was. "
                "Look at versions() once more before the commit is repeated."
            )
            raise
        if made["message"] != message:
            raise CommitConflict(
                f"the answer got lost, and version {made['version']} of {prefix!r} is another's: "
                f"{made['author']}, {made['message']!r}"
            ) from error
        return await _described(methods, prefix, made["version"])


async def _versions(methods: AsyncMethods, prefix: str) -> list[Version]:
    try:
        return await methods.versions(prefix)
    except NoSuchArtifact:
        return []


def _newest(versions: list[Version]) -> int:
    return versions[0]["version"] if versions else 0


async def _look(
    methods: AsyncMethods, patience: Patience, prefix: str, before: int
) -> Version | None:
    """The version that came after `before`; it may still be on its way."""
    for attempt in range(patience.attempts):
        await patience.pause(attempt)
        try:
            versions = await _versions(methods, prefix)
        except Failed:
            continue
        newer = [version for version in versions if version["version"] > before]
        if newer:
            return newer[-1]
    return None


async def _described(methods: AsyncMethods, prefix: str, version: int) -> Commit:
    """What the commit of a version answered."""
    manifest = await methods.read(prefix, version=version, silent=True)
    files = await files_below(methods, State(prefix, version=version), "", _JOBS)
    pins: list[Pin] = [
        {
            "path": file["path"],
            "size": file["size"],
            "etag": file["etag"],
            "last_modified": file["last_modified"],
            "content_type": file["content_type"],
            "download_weight": file["download_weight"],
        }
        for _, file in sorted(files.items())
    ]
    return {"version": version, "manifest": manifest, "files": pins}
