"""boto3's clients of the gateway."""

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config

from tests.acceptance.harness import KEYS, REGION, Document, Gateway, S3Client
from tests.clients.places import PART

PARTS = TransferConfig(multipart_threshold=PART, multipart_chunksize=PART, max_concurrency=3)
SESSION = boto3.session.Session()  # reads the API's description once


def client(gateway: Gateway, caller: str, url: str = "", **settings: Document) -> S3Client:
    """A client with boto3's own defaults, but for what `settings` give to its Config."""
    verify = str(gateway.folder / "certificate.pem") if url.startswith("https") else None
    return SESSION.client(
        "s3",
        endpoint_url=url or gateway.url,
        region_name=REGION,
        aws_access_key_id=KEYS[caller].access_key_id,
        aws_secret_access_key=KEYS[caller].secret_access_key,
        verify=verify,
        config=Config(**settings) if settings else None,
    )
