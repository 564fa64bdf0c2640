"""The gateway's own calls to the backend about buckets: made, gone, empty, keeping versions."""

from http import HTTPStatus

from gateway.s3.address import Query
from gateway.storage import answers
from gateway.storage.calls import Calls, accepted, holding
from gateway.storage.upstream import Outgoing

VERSIONING = (
    b'<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
    b"<Status>Enabled</Status></VersioningConfiguration>"
)


class Buckets(Calls):
    """Calls on buckets, with values in and out."""

    region: str

    async def versioning(self, bucket: str) -> bool:
        """Whether the bucket keeps versions now."""
        return await self.versioning_status(bucket) == "Enabled"

    async def versioning_status(self, bucket: str) -> str:
        """One of "Enabled", "Suspended", and "" for a bucket that never kept versions."""
        answer = await self._call(Outgoing("GET", bucket, query=Query((("versioning", ""),))))
        return answers.versioning_status(accepted(answer).data)

    async def enable_versioning(self, bucket: str) -> None:
        """Nothing; from here on the bucket keeps versions."""
        query = Query((("versioning", ""),))
        accepted(await self._call(holding("PUT", bucket, "", VERSIONING, query=query)))

    async def create_bucket(self, bucket: str) -> bool:
        """Whether the bucket was made now; False when it was there and is ours."""
        if await self.bucket_exists(bucket):
            return False
        body = b"" if self.region == "us-east-1" else _location(self.region)
        answer = await self._call(holding("PUT", bucket, "", body))
        if answer.status == HTTPStatus.CONFLICT and await self.bucket_exists(bucket):
            return False
        accepted(answer)
        return True

    async def delete_bucket(self, bucket: str) -> None:
        """Nothing; the bucket is gone. BackendError BucketNotEmpty when it holds anything."""
        answer = await self._call(Outgoing("DELETE", bucket))
        if answer.status != HTTPStatus.NOT_FOUND:
            accepted(answer)

    async def bucket_exists(self, bucket: str) -> bool:
        """Whether the bucket is there; BackendError when it is somebody else's."""
        answer = await self._call(Outgoing("HEAD", bucket))
        if answer.status == HTTPStatus.NOT_FOUND:
            return False
        accepted(answer)
        return True

    async def is_empty(self, bucket: str) -> bool:
        """Whether the bucket holds no object, no old version and no delete marker."""
        for listing in (("versions", ""), ("list-type", "2")):
            query = Query((listing, ("max-keys", "1")))
            answer = accepted(await self._call(Outgoing("GET", bucket, query=query)))
            if answers.lists_anything(answer.data):
                return False
        return True


def _location(region: str) -> bytes:
    return (
        '<CreateBucketConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<LocationConstraint>{region}</LocationConstraint></CreateBucketConfiguration>"
    ).encode()
