"""Sends files, in parts where they are large, several at once."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath

from gateway.client.crew import side_by_side
from gateway.client.errors import (
    GatewayError,
    InvalidArgument,
    NoSuchArtifact,
    NoSuchUpload,
    NotStaged,
)
from gateway.client.etags import LEAST_PART, Part, md5_of, parts_of, tells
from gateway.client.listing import State, files_below
from gateway.client.methods import AsyncMethods
from gateway.client.patience import passes, was_damaged
from gateway.client.places import Source, sources
from gateway.client.progress import Report, Tally
from gateway.client.results import File, FilePart, PutOptions
from gateway.client.session import Session
from gateway.client.unfinished import URL_SECONDS, Unfinished

PART_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Uploading:
    """An upload to one artifact. `slots` are how many transfers go at once."""

    methods: AsyncMethods
    session: Session
    prefix: str
    weights: Mapping[str, float]
    jobs: int
    part_bytes: int
    slots: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        if self.part_bytes < LEAST_PART:
            raise InvalidArgument(f"part_bytes is at least {LEAST_PART}: S3 takes no smaller parts")
        object.__setattr__(self, "slots", asyncio.Semaphore(self.jobs))

    async def run(self, source: Path, path: str, report: Report | None) -> list[str]:
        """The paths in the artifact of what was sent, or was there already."""
        found = await asyncio.to_thread(sources, source, path)
        unknown = sorted(self.weights.keys() - found.keys())
        if unknown:
            raise InvalidArgument(f"weights are given for what is not sent: {', '.join(unknown)}")
        there = await self._there(found)
        tally = Tally(report, {place: each.size for place, each in found.items()})
        work = [
            partial(self._send, place, each, there.get(place), tally)
            for place, each in found.items()
        ]
        await side_by_side(self.jobs, work)
        return sorted(found)

    async def _there(self, found: Mapping[str, Source]) -> Mapping[str, File]:
        """The files of the stage in the folders that are sent."""
        folders = {str(each) for place in found for each in PurePosixPath(place).parents}
        state = State(self.prefix, stage=True)
        try:
            return await files_below(self.methods, state, "", self.jobs, only=folders)
        except NoSuchArtifact:
            return {}  # what is wrong, put_file says

    async def _send(self, place: str, source: Source, there: File | None, tally: Tally) -> None:
        weight = self.weights.get(place)
        if there is not None and await self._is_equal(source, there):
            if weight is not None and weight != there["download_weight"]:
                await self.methods.put_file(self.prefix, place, {"download_weight": weight})
        elif source.size <= self.part_bytes:
            await self._send_whole(place, source, tally)
        else:
            await self._send_parts(place, source, tally)
        tally.done(place)

    async def _is_equal(self, source: Source, there: File) -> bool:
        if source.size != there["size"]:
            return False
        etag = there["etag"].strip('"')
        return await asyncio.to_thread(tells, source.path, etag, part_bytes=self.part_bytes) is True

    def _options(self, place: str) -> PutOptions:
        weight = self.weights.get(place)
        return {} if weight is None else {"download_weight": weight}

    async def _send_whole(self, place: str, source: Source, tally: Tally) -> None:
        url = await self.methods.put_file(self.prefix, place, self._options(place))
        if not isinstance(url, str):
            raise NotStaged(f"put_file gave no URL for {place!r}")
        span = Part(0, 0, source.size)
        await self._put(url, place, source, span, tally, {"Content-Type": source.content_type})
        source.check()

    async def _send_parts(self, place: str, source: Source, tally: Tally) -> None:
        session, weight = self.session, self.weights.get(place)
        what = (
            *(session.url, session.workspace, self.prefix, place, weight, self.part_bytes),
            *(str(source.path.resolve()), source.size, source.modified),
        )
        with Unfinished(what) as unfinished:
            if unfinished.upload is not None:
                try:
                    await self._continue(place, source, tally, unfinished)
                except GatewayError as error:
                    if passes(error):
                        raise
                    # The edit is over, or the URLs are, or the parts are gone: begin anew.
                    tally.moved(place, -tally.sent.get(place, 0))
                else:
                    return
            options = self._options(place)
            options["parts"] = len(parts_of(source.size, self.part_bytes))
            options["content_type"] = source.content_type
            options["expires_in"] = URL_SECONDS
            upload = await self.methods.put_file(self.prefix, place, options)
            if isinstance(upload, str):
                raise NotStaged(f"put_file gave no upload in parts for {place!r}")
            unfinished.begin(upload)
            try:
                await self._continue(place, source, tally, unfinished)
            except GatewayError as error:
                if not passes(error):
                    unfinished.forget()
                raise

    async def _continue(
        self, place: str, source: Source, tally: Tally, unfinished: Unfinished
    ) -> None:
        """Send the parts that are missing, and join them all."""
        upload = unfinished.upload
        if upload is None:
            raise NoSuchUpload(f"no upload of {place!r} was begun")
        urls = {part["part_number"]: part["url"] for part in upload["parts"]}
        parts = parts_of(source.size, self.part_bytes)
        there = sum(part.size for part in parts if part.number in unfinished.etags)
        if there:
            tally.moved(place, there)

        async def send(part: Part) -> None:
            etag = await self._put(urls[part.number], place, source, part, tally, {})
            unfinished.arrived(part.number, etag)

        missing = [part for part in parts if part.number not in unfinished.etags]
        await side_by_side(self.jobs, [partial(send, part) for part in missing])
        source.check()
        listed: Sequence[FilePart] = [
            {"part_number": part.number, "etag": unfinished.etags[part.number]} for part in parts
        ]
        await self.methods.complete_file(self.prefix, place, upload["upload_id"], listed)
        unfinished.forget()

    async def _put(
        self,
        url: str,
        place: str,
        source: Source,
        span: Part,
        tally: Tally,
        headers: Mapping[str, str],
    ) -> str:
        """The ETag of a span that was put; its MD5 goes before it, so wrong bytes are refused."""
        sent = 0

        async def body() -> AsyncIterator[bytes]:
            nonlocal sent
            async for piece in source.pieces(span.start, span.size):
                yield piece
                sent += len(piece)
                tally.moved(place, len(piece))

        async def attempt() -> str:
            nonlocal sent
            if sent:
                tally.moved(place, -sent)
                sent = 0
            digest = await asyncio.to_thread(md5_of, source.path, span.start, span.size)
            declared = {
                **headers,
                "Content-Length": str(span.size),
                "Content-MD5": b64encode(digest).decode(),
            }
            return await self.session.put(url, body(), declared)

        async with self.slots:
            return await self.session.patience.repeat(attempt, was_damaged)
