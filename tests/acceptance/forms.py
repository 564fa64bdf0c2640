"""Upload forms as pages have them: signed by boto3, filled in and sent as browsers do."""

import http.client
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.acceptance.harness import WORKSPACE, Response, S3Client

BOUNDARY = "----WebKitFormBoundaryxAv8qIRyX7gVzPJ0"
END = f"\r\n--{BOUNDARY}--\r\n".encode()
SUBMIT = (
    f"\r\n--{BOUNDARY}\r\n"
    'Content-Disposition: form-data; name="submit"\r\n\r\n'
    f"Upload to Amazon S3\r\n--{BOUNDARY}--\r\n"
).encode()

LARGE = ((1 << 20) + 70_000) * b"x"  # too long to be held whole

Condition = Mapping[str, Any] | Sequence[Any]


def sign(
    client: S3Client,
    key: str,
    fields: Mapping[str, str] | None = None,
    conditions: Iterable[Condition] = (),
    *,
    bucket: str = WORKSPACE,
    expires: int = 300,
) -> dict[str, str]:
    """The fields of a form that boto3 signed; those of `fields` are covered by conditions."""
    covered = [{name: value} for name, value in (fields or {}).items()]
    signed: dict[str, str] = client.generate_presigned_post(
        bucket,
        key,
        Fields=dict(fields or {}),
        Conditions=[*covered, *conditions],
        ExpiresIn=expires,
    )["fields"]
    return signed


@dataclass(frozen=True, slots=True)
class Form:
    """A form as it goes on the wire: fields in their order, the file, and how it ends."""

    fields: Mapping[str, str]
    data: bytes = field(default=b"data", repr=False)
    file: str = '; filename="data.csv"'
    content_type: str | None = None
    end: bytes = END

    @property
    def before(self) -> bytes:
        """What comes before the file's bytes."""
        parts = [
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in self.fields.items()
        ]
        typed = "" if self.content_type is None else f"\r\nContent-Type: {self.content_type}"
        head = f'Content-Disposition: form-data; name="file"{self.file}{typed}'
        return "".join([*parts, f"--{BOUNDARY}\r\n{head}\r\n\r\n"]).encode()

    def send(
        self, port: int, target: str = f"/{WORKSPACE}", headers: Mapping[str, str] | None = None
    ) -> Response:
        """The answer of who listens at this port of loopback."""
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        sent = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}", **(headers or {})}
        try:
            connection.request("POST", target, self.before + self.data + self.end, sent)
            answer = connection.getresponse()
            return Response(answer.status, answer.headers, answer.read())
        finally:
            connection.close()
