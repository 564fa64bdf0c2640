"""The client for programs with an event loop."""

from collections.abc import Mapping
from pathlib import Path
from typing import Self

from gateway.client.committing import commit
from gateway.client.credentials import credentials
from gateway.client.downloading import Downloading
from gateway.client.errors import InvalidArgument
from gateway.client.listing import State
from gateway.client.methods import AsyncMethods, Texts
from gateway.client.patience import Patience
from gateway.client.progress import Report
from gateway.client.results import Commit
from gateway.client.session import Session
from gateway.client.uploading import PART_BYTES, Uploading

Places = list[Path]


class AsyncClient(AsyncMethods):
    """The gateway's methods, and files and folders, up and down, in one workspace.

    `url` is the gateway's address; who calls is known by a `token`, or by an access key, or is
    anonymous. `timeout` is how many seconds a connection, or the next bytes on it, may take.

    A refusal is a `GatewayError` and the built-in that fits: FileNotFoundError, PermissionError,
    FileExistsError, ValueError, RuntimeError; ConnectionError where the gateway can't be reached or
    fails. What changes nothing, or may be done twice, is tried again after failures, for some
    20 seconds; other methods only where they never reached the gateway.
    """

    def __init__(
        self,
        url: str,
        workspace: str,
        *,
        token: str | None = None,
        access_key_id: str | None = None,
        secret_access_key: str | None = None,
        timeout: float = 60.0,
    ) -> None:
        who = credentials(token, access_key_id, secret_access_key)
        super().__init__(Session(url, workspace, who, timeout, Patience()))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection."""
        await self._session.close()

    async def commit(self, prefix: str, message: str | None = None) -> Commit:
        """The next version, made of the stage; NotStaged, MissingFiles, SchemaViolation.

        A commit is never repeated blindly: it could commit an edit that somebody opened since.
        When its answer gets lost, `versions` is looked at until a new one is there. If that has
        this message it is the one, and it is returned; if not, CommitConflict. If none comes, the
        failure is raised, and nothing was committed as far as can be seen.
        """
        return await commit(self, self._session.patience, prefix, message)

    async def upload(
        self,
        prefix: str,
        source: str | Path,
        path: str = "",
        *,
        weights: Mapping[str, float] | None = None,
        jobs: int = 8,
        progress: Report | None = None,
        part_bytes: int = PART_BYTES,
    ) -> Texts:
        """The paths in the artifact of a file, or of all files of a folder, that are staged now.

        An edit has to be open: NotStaged. A file goes to `path`, or into it where it ends with "/";
        a folder's files go below it and keep their relative paths. At the artifact's top,
        manifests are left out. `weights` are by path in the artifact.

        What is there already with the same bytes, by size and ETag, is not sent again. Files
        larger than `part_bytes` go in parts; an upload that was interrupted goes on at the parts
        that are missing, as long as the edit is open and the source unchanged. Every piece goes
        with its MD5, so that wrong bytes are refused, and is sent again after failures. `jobs`
        transfers go at once; `progress` is told after each piece, and what it raises ends the
        upload.
        """
        _check_jobs(jobs)
        uploading = Uploading(self, self._session, prefix, weights or {}, jobs, part_bytes)
        return await uploading.run(Path(source), path, progress)

    async def download(
        self,
        prefix: str,
        target: str | Path,
        path: str = "",
        *,
        version: int | None = None,
        stage: bool = False,
        jobs: int = 8,
        progress: Report | None = None,
        silent: bool = False,
    ) -> Places:
        """The places of an artifact's files, or of those at or below `path`, that are there now.

        All are of one state: a version, the stage, or what was the last commit at the beginning.
        Files go below `target` with their paths (below `path`, where it is a folder); a single file
        to `target` itself, or into it where it is a folder. Nothing is written outside it: a path
        that leads out is InvalidPath.

        A file comes under another name, goes on where a connection broke off, also when the process
        died, and gets its own once its size and ETag are right; BadDigest where they can't be had.
        What is there already with the same bytes is left. `silent` downloads are not counted.
        """
        _check_jobs(jobs)
        if version is None and not stage:
            version = (await self.versions(prefix))[0]["version"]
        state = State(prefix, stage=stage, version=version)
        downloading = Downloading(self, self._session, state, silent, jobs)
        return await downloading.run(Path(target), path, progress)


def _check_jobs(jobs: int) -> None:
    if jobs < 1:
        raise InvalidArgument(f"jobs is how many transfers go at once, 1 or more: not {jobs}")
