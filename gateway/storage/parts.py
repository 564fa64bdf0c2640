"""The gateway's own calls to the backend about uploads in parts."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus

from multidict import CIMultiDict

from gateway.s3.address import Query
from gateway.s3.parts import Part, render_parts
from gateway.storage import answers
from gateway.storage.calls import Calls, accepted, holding
from gateway.storage.upstream import OpenUpload, Outgoing, StoredObject


class Parts(Calls):
    """Calls on uploads. What must not be done twice is sent once: then nobody knows whether."""

    async def create_upload(self, bucket: str, key: str, headers: Mapping[str, str]) -> str:
        """The id of a new upload; after ServiceUnavailable there may be one."""
        outgoing = Outgoing("POST", bucket, key, Query((("uploads", ""),)), CIMultiDict(headers))
        return answers.upload_id(accepted(await self._call(outgoing, tries=1)).data)

    async def complete_upload(
        self, bucket: str, key: str, upload_id: str, parts: Sequence[Part]
    ) -> StoredObject:
        """What the parts became; after ServiceUnavailable it may be there. BackendError."""
        query = Query((("uploadId", upload_id),))
        headers = CIMultiDict({"Content-Type": "application/xml"})
        outgoing = holding("POST", bucket, key, render_parts(parts), query=query, headers=headers)
        answer = accepted(await self._call(outgoing, tries=1))
        etag = answers.copied_etag(answer.data.strip())  # white space while it took its time
        return StoredObject(etag, answer.headers.get("x-amz-version-id"))

    async def abort_upload(self, bucket: str, key: str, upload_id: str) -> None:
        """Nothing; the upload and its parts are gone, whether they were there or not."""
        query = Query((("uploadId", upload_id),))
        answer = await self._call(Outgoing("DELETE", bucket, key, query))
        if answer.status != HTTPStatus.NOT_FOUND:
            accepted(answer)

    async def parts(self, bucket: str, key: str, upload_id: str) -> list[Part]:
        """The parts of an upload that arrived; BackendError without such an upload."""
        query = Query((("uploadId", upload_id),))
        found: list[Part] = []
        following = query
        while True:
            answer = accepted(await self._call(Outgoing("GET", bucket, key, following)))
            page = answers.parts_page(answer.data)
            found += page.parts
            if page.marker is None:
                return found
            following = query.adding("part-number-marker", page.marker)

    async def uploads(self, bucket: str, key: str) -> list[OpenUpload]:
        """The uploads of exactly this key that are neither completed nor aborted."""
        # Not url-encoded: SeaweedFS says that keys were, and leaves them as they are.
        query = Query((("uploads", ""), ("prefix", key)))
        found: list[OpenUpload] = []
        following = query
        while True:
            answer = accepted(await self._call(Outgoing("GET", bucket, query=following)))
            page = answers.uploads_page(answer.data)
            found += [upload for upload in page.uploads if upload.key == key]
            if page.key_marker is None:
                return found
            following = query.adding("key-marker", page.key_marker)
            following = following.adding("upload-id-marker", page.upload_id_marker or "")
