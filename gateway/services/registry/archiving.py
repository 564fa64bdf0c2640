"""Answer with an artifact's files as one zip.

A commit never changes, so neither does the archive of a version: its length and its ETag are
known before a file is opened.
"""

from dataclasses import replace
from hashlib import sha256
from http import HTTPStatus

from multidict import CIMultiDict

from gateway.artifact.archive import Archive, Entry
from gateway.artifact.layout import MANIFEST
from gateway.artifact.lifecycle import Artifact
from gateway.artifact.version import Record
from gateway.errors import InvalidArgument, NoSuchKey, NoSuchVersion
from gateway.identity import Caller, Workspace
from gateway.s3.message import Reply, Request
from gateway.services.registry.browsing import Browsing
from gateway.services.registry.packing import Contents, Packing
from gateway.services.registry.showing import Wanted
from gateway.services.statistics.counting import Counting
from gateway.storage.bucket import Bucket
from gateway.storage.catalogue import Catalogue

# Part of every ETag: another layout makes other bytes of the same version.
LAYOUT = 1


class Archiving:
    """Answers for artifacts, and for folders in them, with zips."""

    def __init__(
        self, bucket: Bucket, catalogue: Catalogue, browsing: Browsing, counting: Counting
    ) -> None:
        self._bucket = bucket
        self._catalogue = catalogue
        self._browsing = browsing
        self._counting = counting

    async def archive(
        self, caller: Caller, workspace: Workspace, path: str, wanted: Wanted, request: Request
    ) -> Reply:
        """A zip of the artifact at `path`, or of what is below that path in one.

        Each file counts as a download before its first byte leaves, unless silent. 304 where
        If-None-Match names it. NoSuchArtifact, NoSuchVersion, NoSuchKey; AccessDenied as for
        the manifest; InvalidArgument for a stage, which is no version.
        """
        if wanted.stage:
            raise InvalidArgument(
                "a zip holds a committed version: commit first, or leave stage out",
                argument="stage",
                value="true",
            )
        location = await self._catalogue.locate(workspace.id, f"{path}/-" if path else "-")
        prefix = path if location.artifact is None else location.artifact.prefix
        artifact = await self._browsing.find(caller, workspace, prefix, wanted)
        folder = path[len(prefix) :].strip("/")
        record = await self._record(artifact, wanted.version)
        visit = self._counting.visit(caller, request)
        contents = replace(_contents(workspace, artifact, record, folder), visit=visit)
        headers = CIMultiDict({"ETag": _etag(record, folder)})
        if _names(request, headers["ETag"]):
            if request.method == "GET" and not wanted.silent:
                await self._count_known(contents)
            return Reply(HTTPStatus.NOT_MODIFIED, headers, authored=True)
        headers["Content-Type"] = "application/zip"
        headers["Content-Length"] = str(contents.archive.length)
        headers["Accept-Ranges"] = "none"
        if request.method == "HEAD":
            return Reply(HTTPStatus.OK, headers, authored=True)
        counted = not wanted.silent and self._counting.counts(visit, HTTPStatus.OK)
        counting = self._counting if counted else None
        pieces = Packing(self._bucket, contents, counting).pieces()
        return Reply(HTTPStatus.OK, headers, pieces, authored=True)

    async def _count_known(self, contents: Contents) -> None:
        """Count the files of a zip that the client has already, where the rules say so."""
        if not self._counting.counts(contents.visit, HTTPStatus.NOT_MODIFIED):
            return
        artifact = contents.artifact
        for pin in contents.pins:
            if pin.path != MANIFEST:
                self._counting.download(
                    artifact.id, artifact.epoch, pin.path, pin.weight, contents.visit
                )
        await self._counting.settled()

    async def _record(self, artifact: Artifact, version: int | None) -> Record:
        number = artifact.version if version is None else version
        there = artifact.buried < number <= artifact.version
        record = await self._catalogue.record(artifact, number) if there else None
        if record is None or record.manifest is None:
            raise NoSuchVersion(
                f"{artifact.prefix!r} has no version {number}; the newest is {artifact.version}",
                prefix=artifact.prefix,
                version=number,
            )
        return record


def _contents(workspace: Workspace, artifact: Artifact, record: Record, folder: str) -> Contents:
    # From the record: the plain key is written after the commit, at a time of its own.
    manifest = b"" if record.manifest is None else record.manifest.data
    pins = [
        replace(pin, size=len(manifest), last_modified=record.time) if pin.path == MANIFEST else pin
        for pin in record.pins
        if not folder or pin.path.startswith(f"{folder}/")
    ]
    if not pins:
        raise NoSuchKey(
            f"{artifact.prefix!r} has no files below {folder!r}",
            prefix=artifact.prefix,
            path=folder,
        )
    name = (artifact.prefix or workspace.name).rsplit("/", 1)[-1]
    entries = [Entry(f"{name}/{pin.path}", pin.size, pin.last_modified) for pin in pins]
    return Contents(workspace, artifact, pins, manifest, Archive(entries))


def _etag(record: Record, folder: str) -> str:
    """The archive's ETag: another one for each version and folder."""
    # The time keeps versions apart that are numbered anew, when all records were lost.
    time = record.time.isoformat()
    parts = (LAYOUT, record.workspace_id, record.prefix, record.number, time, folder)
    return f'"{sha256(repr(parts).encode()).hexdigest()[:32]}"'


def _names(request: Request, etag: str) -> bool:
    """Whether If-None-Match names the ETag (RFC 9110, by the weak comparison)."""
    given = ",".join(request.headers.getall("If-None-Match", ()))
    tags = {tag.strip().removeprefix("W/") for tag in given.split(",")}
    return etag in tags or "*" in tags
