"""The sample gallery's way into a running gateway: by botocore through the S3 door, as anybody."""

import mimetypes
from http import HTTPStatus
from pathlib import Path

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import get_session

from gateway.identity import AccessKey
from gateway.sample import PREFIX, NotLoaded

_GALLERY = Path(__file__).parent / "gallery"
_STAGED, _COMMITTED = "_manifest.yaml", "manifest.yaml"
_SETTINGS = Config(
    s3={"addressing_style": "path"},
    connect_timeout=10,
    read_timeout=60,
    retries={"mode": "standard"},
)


def load(url: str, key: AccessKey, workspace: str) -> int:
    """The number of artifacts put below PREFIX: those that were not there yet.

    NotLoaded where the gateway refuses, or does not answer.
    """
    folders = [_GALLERY, *sorted(path for path in _GALLERY.iterdir() if path.is_dir())]
    try:
        store = _Store(url, key, workspace)
        return sum(store.publish(folder) for folder in folders)
    except (BotoCoreError, ClientError) as error:
        raise NotLoaded(str(error)) from error


class _Store:
    """A workspace of a running gateway, seen through S3."""

    def __init__(self, url: str, key: AccessKey, workspace: str) -> None:
        self._workspace = workspace
        self._s3 = get_session().create_client(
            "s3",
            endpoint_url=url,
            region_name="us-east-1",
            aws_access_key_id=key.access_key_id,
            aws_secret_access_key=key.secret_access_key,
            config=_SETTINGS,
        )

    def publish(self, folder: Path) -> bool:
        """Whether the folder was staged and committed, being no artifact before."""
        prefix = "/".join((PREFIX, *folder.relative_to(_GALLERY).parts))
        committed = f"{prefix}/{_COMMITTED}"
        if self._has(committed):
            return False
        self._put(folder / _COMMITTED, f"{prefix}/{_STAGED}")
        for file in sorted(folder.iterdir()):
            if file.is_file() and file.name != _COMMITTED:
                self._put(file, f"{prefix}/{file.name}")
        source = {"Bucket": self._workspace, "Key": f"{prefix}/{_STAGED}"}
        self._s3.copy_object(Bucket=self._workspace, Key=committed, CopySource=source)
        return True

    def _put(self, file: Path, key: str) -> None:
        kind = mimetypes.guess_type(file.name)[0] or "text/plain"
        self._s3.put_object(
            Bucket=self._workspace, Key=key, Body=file.read_bytes(), ContentType=kind
        )

    def _has(self, key: str) -> bool:
        try:
            self._s3.head_object(Bucket=self._workspace, Key=key)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] != HTTPStatus.NOT_FOUND:
                raise
            return False
        return True
