"""The files of an artifact, all the way down."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import partial

from gateway.client.crew import side_by_side
from gateway.client.errors import InvalidPath
from gateway.client.methods import AsyncMethods
from gateway.client.places import check_name
from gateway.client.results import File


@dataclass(frozen=True, slots=True)
class State:
    """Which state of which artifact: the stage, a version, or the last commit."""

    prefix: str
    stage: bool = False
    version: int | None = None


async def files_below(
    methods: AsyncMethods,
    state: State,
    path: str,
    jobs: int,
    *,
    only: Collection[str] | None = None,
) -> dict[str, File]:
    """The files below a path, by their paths in the artifact; `only` folders that are named."""
    found: dict[str, File] = {}
    folders = [path.strip("/")]
    while folders:
        deeper: list[str] = []

        async def look(folder: str, deeper: list[str] = deeper) -> None:
            for entry in await methods.list_files(state.prefix, folder, state.stage, state.version):
                place = f"{folder}/{entry['name']}" if folder else entry["name"]
                check_name(entry["name"])
                if place != entry["path"]:
                    raise InvalidPath(f"the gateway lists {entry['path']!r} as below {folder!r}")
                if entry["type"] == "file":
                    found[place] = entry
                elif only is None or place in only:
                    deeper.append(place)

        await side_by_side(jobs, [partial(look, folder) for folder in folders])
        folders = deeper
    return found
