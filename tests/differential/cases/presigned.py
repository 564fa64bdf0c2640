"""Presigned URLs, boto3's and hand-made, and requests that nobody signed."""

from tests.differential.client import Auth, Client
from tests.differential.scene import NAMED, PLAIN, Scene

BODY = b"a body that a URL fetches"

presigned = Scene("presigned", kinds=NAMED)


@presigned.setup
def _store(client: Client) -> None:
    client.ask("PUT", "data", body=BODY)
    client.ask("PUT", "ü + %/~(1)", body=BODY)


# moto looks at no signature.
WRONG = ("own-words@seaweedfs", "signature@moto")


def _tampered(target: str) -> str:
    return target[:-1] + ("0" if target[-1] != "0" else "1")


@presigned.case("GET")
def _get(client: Client) -> None:
    client.follow("GET", client.presign("get_object", Key="data"))
    client.follow("GET", client.presign("get_object", Key="data"), {"Range": "bytes=0-3"})
    client.follow("GET", client.presign("get_object", Key="absent"))


@presigned.case("GET of an odd key")
def _odd(client: Client) -> None:
    client.follow("GET", client.presign("get_object", Key="ü + %/~(1)"))


@presigned.case("GET as another type")
def _typed(client: Client) -> None:
    client.follow(
        "GET", client.presign("get_object", Key="data", ResponseContentDisposition="attachment")
    )


@presigned.case("HEAD")
def _head(client: Client) -> None:
    client.follow("HEAD", client.presign("head_object", Key="data"))


@presigned.case("PUT")
def _put(client: Client) -> None:
    client.follow("PUT", client.presign("put_object", Key="put"), body=b"new")
    client.ask("GET", "put")


@presigned.case("PUT of a type")
def _put_type(client: Client) -> None:
    target = client.presign("put_object", Key="typed", ContentType="a/b")
    client.follow("PUT", target, {"Content-Type": "a/b"}, b"new")
    client.ask("GET", "typed")


@presigned.case("DELETE")
def _delete(client: Client) -> None:
    client.ask("PUT", "gone", body=BODY)
    client.follow("DELETE", client.presign("delete_object", Key="gone"))
    client.ask("HEAD", "gone")


for _name, _method in {"a URL for GET": "PUT", "a URL for GET, HEAD": "HEAD"}.items():

    @presigned.case(f"{_name} used otherwise", *WRONG)
    def _otherwise(client: Client, method: str = _method) -> None:
        client.follow(
            method, client.presign("get_object", Key="other"), body=b"x" * (method == "PUT")
        )


@presigned.case("a wrong signature", *WRONG)
def _wrong(client: Client) -> None:
    client.follow("GET", _tampered(client.presign("get_object", Key="data")))


for _method, _key in (("GET", "data"), ("HEAD", "data"), ("DELETE", "absent")):
    presigned.ask(f"hand-made {_method}", _method, _key, auth=Auth.PRESIGNED)
presigned.ask(
    "hand-made listing", "GET", None, "list-type=2&max-keys=1&prefix=nothing", auth=Auth.PRESIGNED
)


@presigned.case("hand-made PUT, with metadata")
def _metadata(client: Client) -> None:
    client.ask("PUT", "meta", headers={"x-amz-meta-a": "1"}, body=b"m", auth=Auth.PRESIGNED)
    client.ask("GET", "meta")


unsigned = Scene("unsigned", kinds=(PLAIN,), backends=("seaweedfs",))


@unsigned.setup
def _store_more(client: Client) -> None:
    client.ask("PUT", "data", body=BODY)


for _name, _method, _query in (
    ("GET", "GET", ""),
    ("HEAD", "HEAD", ""),
    ("PUT", "PUT", ""),
    ("DELETE", "DELETE", ""),
    ("tags", "GET", "tagging"),
):
    unsigned.ask(
        f"{_name} of an object", _method, "data", _query, auth=Auth.NONE, differs=("own-words",)
    )
for _name, _method, _query in (
    ("listing", "GET", ""),
    ("second listing", "GET", "list-type=2"),
    ("HEAD", "HEAD", ""),
    ("policy", "GET", "policy"),
):
    unsigned.ask(
        f"{_name} of the bucket", _method, None, _query, auth=Auth.NONE, differs=("own-words",)
    )

SCENES = (presigned, unsigned)
