"""CR, LF and NUL in whatever becomes a header or a request: no second one, on either side.

Fields of upload forms are in `test_post_form_refusals`.
"""

import json
import re
from collections.abc import Callable, Iterator
from email.message import Message
from urllib.parse import quote, unquote

import pytest

from tests.acceptance.harness import KEYS, WORKSPACE, Backend, Document, Gateway, RpcError
from tests.acceptance.signer import Signer
from tests.acceptance.sockets import Answer, head, say
from tests.acceptance.steps import manifest, put
from tests.acceptance.wire import WireTap

KEY = f"/{WORKSPACE}/injection/known"
VICTIM = f"/{WORKSPACE}/injection/victim"
KNOWN = b"what is known"
LAST = b"GET /_health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
MARKS = (
    "\r\nx-injected: yes",
    "\nx-injected: yes",
    "\rx-injected: yes",
    "\0x-injected: yes",
    f"\r\n\r\nDELETE {VICTIM} HTTP/1.1\r\nHost: x\r\n\r\n",
    f" HTTP/1.1\r\nHost: x\r\n\r\nDELETE {VICTIM} HTTP/1.1\r\nx: ",
)

Make = Callable[[Signer, str], bytes]


def presigned(signer: Signer, method: str, target: str) -> bytes:
    """A request with its signature in the query."""
    signed = signer.presigned(method, target)
    return f"{method} {signed} HTTP/1.1\r\nHost: {signer.host}\r\n\r\n".encode()


def copied(signer: Signer, name: str, value: str) -> bytes:
    """A PUT that names a source."""
    return head(signer, "PUT", f"{KEY}-copy", "Content-Length: 0", headers={name: value})


def query(method: str, path: str, name: str) -> Make:
    """A request with the mark, encoded, in a parameter's value."""
    return lambda signer, mark: head(signer, method, f"{path}?{name}=a{mark}")


def hoisted(name: str) -> Make:
    """A presigned PUT with the mark in a header that its URL holds."""
    return lambda signer, mark: presigned(signer, "PUT", f"{KEY}-put?{name}=a{mark}")


BUCKET = f"/{WORKSPACE}"
OVERRIDES = ("cache-control", "content-disposition", "content-encoding", "content-language")
FIELDS: dict[str, Make] = {
    "a key": lambda s, mark: head(s, "GET", KEY + mark),
    "a key that is written": lambda s, mark: head(s, "PUT", KEY + mark, "Content-Length: 0"),
    "a key that is deleted": lambda s, mark: head(s, "DELETE", KEY + mark),
    "a bucket": lambda s, mark: head(s, "GET", f"/a{mark}/key"),
    "a bucket that is made": lambda s, mark: head(
        Signer(s.host, KEYS["admin"]), "PUT", f"/a{mark}", "Content-Length: 0"
    ),
    "a parameter's name": lambda s, mark: head(s, "GET", f"{KEY}?a{mark}=1"),
    "a version": query("GET", KEY, "versionId"),
    "a part": query("GET", KEY, "partNumber"),
    "an upload": query("DELETE", KEY, "uploadId"),
    "a prefix": query("GET", BUCKET, "list-type=2&prefix"),
    "a delimiter": query("GET", BUCKET, "list-type=2&prefix=injection%2F&delimiter"),
    "a place to start": query("GET", BUCKET, "list-type=2&prefix=injection%2F&start-after"),
    "a token": query("GET", BUCKET, "list-type=2&prefix=injection%2F&continuation-token"),
    "a marker": query("GET", BUCKET, "prefix=injection%2F&marker"),
    **{f"response-{name}": query("GET", KEY, f"response-{name}") for name in OVERRIDES},
    "response-content-type": query("GET", KEY, "response-content-type"),
    "response-expires": query("HEAD", KEY, "response-expires"),
    "a copy source": lambda s, mark: copied(s, "x-amz-copy-source", KEY + mark),
    "a copy source's bucket": lambda s, mark: copied(s, "x-amz-copy-source", f"/a{mark}/key"),
    "a copy source's version": lambda s, mark: copied(
        s, "x-amz-copy-source", f"{KEY}?versionId=a{mark}"
    ),
    "a rename source": lambda s, mark: copied(s, "x-amz-rename-source", KEY + mark),
    "tags": lambda s, mark: copied(s, "x-amz-tagging", f"a{mark}=b"),
    "hoisted metadata": hoisted("x-amz-meta-a"),
    "hoisted tags": hoisted("x-amz-tagging"),
    "a hoisted storage class": hoisted("x-amz-storage-class"),
    "a hoisted redirect": hoisted("x-amz-website-redirect-location"),
    "a hoisted copy source": hoisted(f"x-amz-copy-source={quote(KEY, safe='')}"),
    "a hoisted header's name": lambda s, mark: presigned(
        s, "PUT", f"{KEY}-put?x-amz-meta-{mark}=a"
    ),
}


@pytest.fixture(scope="module", autouse=True)
def known(backend: Backend) -> Iterator[None]:
    """An object to ask for, and one that nobody may touch."""
    client = backend.client()
    for key in ("injection/known", "injection/victim"):
        client.put_object(Bucket=WORKSPACE, Key=key, Body=KNOWN)
    yield
    assert client.get_object(Bucket=WORKSPACE, Key="injection/victim")["Body"].read() == KNOWN


def check_heard(tap: WireTap, methods: set[str]) -> None:
    """The backend heard requests of these methods alone, and no header that was smuggled in."""
    for each in tap.requests:
        assert each.method in methods, each
        assert each.path != VICTIM, each
        assert not [name for name, _ in each.headers if "injected" in name], each.headers
        assert not re.search(r"[\r\n\0]", each.path + each.query)


def check_said(answer: Answer) -> None:
    """Nothing was smuggled into an answer's head."""
    assert not [name for name in answer.headers if "injected" in name], answer
    assert not [value for value in answer.headers.values() if re.search(r"[\r\n\0]", value)], answer


@pytest.mark.parametrize("field", FIELDS)
def test_marks_that_arrive_encoded_make_no_second_request_or_header(
    field: str, tapped: Gateway, tap: WireTap, signer: Signer
) -> None:
    for mark in MARKS:
        for spelled in (quote(mark, safe=""), quote(mark, safe="").lower()):
            tap.forget()
            request = FIELDS[field](signer, spelled)
            method = request.split(b" ")[0].decode()
            said = say(tapped, request + LAST, methods=(method,))
            assert len(said.answers) == 2, said
            assert said.answers[1].body == b'{"status": "ok"}'
            assert len(tap.requests) <= 1, [(each.method, each.target) for each in tap.requests]
            check_heard(tap, {method})
            check_said(said.answers[0])
            status = said.answers[0].status
            assert status < 500 or status == 501 or tap.requests[0].status == status, said


# What is allowed in a header, and reads as something else elsewhere.
ODD_VALUES = (
    "a\tb",
    'tab\t, comma; semicolon="quoted"',
    "%0d%0ax-injected: yes",
    "=?UTF-8?Q?=0D=0Ax-injected:_yes?=",
    "\\r\\nx-injected: yes",
    "äöü x-injected: yes",
    "嘊嘍x-injected: yes",  # U+560A U+560D end in the bytes of LF and CR, where bytes get lost
)


@pytest.mark.parametrize("name", ["x-amz-meta-a", "content-disposition", "content-language"])
def test_odd_values_come_back_as_they_were(
    name: str, tapped: Gateway, tap: WireTap, signer: Signer
) -> None:
    for value in ODD_VALUES:
        tap.forget()
        target = f"{KEY}-odd"
        headers = {name: value, "content-type": f'text/plain; a="{value}"'}
        stored = say(
            tapped,
            head(signer, "PUT", target, "Content-Length: 0", headers=headers),
            head(signer, "GET", target) + LAST,
        )
        assert stored.statuses == [200, 200, 200], stored
        check_heard(tap, {"PUT", "GET"})
        for answer in stored.answers:
            check_said(answer)
        assert stored.answers[1].headers[name] == value


def test_overrides_of_committed_files_are_one_header(
    tapped: Gateway, tap: WireTap, signer: Signer
) -> None:
    prefix = tapped.new_prefix()
    client = tapped.s3()
    put(client, prefix, {"a.csv": KNOWN, "manifest.yaml": manifest()})
    reader = Signer(signer.host, KEYS["read"])
    for mark in MARKS:
        tap.forget()
        target = f"/{WORKSPACE}/{prefix}/a.csv?response-content-disposition=a{quote(mark, safe='')}"
        said = say(tapped, head(reader, "GET", target) + LAST)
        assert len(said.answers) == 2, said
        check_said(said.answers[0])
        check_heard(tap, {"GET"})


NAMES = (
    'quoted "name".csv',
    "semi;colon=equals.csv",
    "per%0d%0acent.csv",
    "ünïcödé 中文 😀.csv",
    "a\u2028b.csv",
    "'apostrophe'*.csv",
    "a, b.csv",
)


def disposition(answer: Answer) -> tuple[str, str]:
    """The two file names of a Content-Disposition, as RFC 6266 reads them."""
    text = answer.headers["content-disposition"]
    parsed = Message()
    parsed["Content-Disposition"] = text
    assert parsed.get_content_disposition() == "attachment"
    plain = re.search(r'filename="((?:[^"\\]|\\.)*)"', text)
    starred = re.search(r"filename\*=UTF-8''([A-Za-z0-9%._~-]+)$", text)
    assert plain, text
    assert starred, text
    assert text.isascii()
    return plain[1], unquote(starred[1], errors="strict")


def test_downloads_are_saved_under_their_own_names(tapped: Gateway, tap: WireTap) -> None:
    prefix = tapped.new_prefix(public=True)
    client = tapped.s3()
    put(client, prefix, dict.fromkeys(NAMES, KNOWN) | {"manifest.yaml": manifest()})
    tap.forget()
    for name in NAMES:
        path = f"/{WORKSPACE}/artifact/{prefix}/{quote(name)}?download=true"
        said = say(tapped, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode() + LAST)
        assert said.statuses == [200, 200], (name, said)
        check_said(said.answers[0])
        plain, whole = disposition(said.answers[0])
        assert whole == name
        assert plain.isprintable()
        assert "\\" not in plain
    zipped = f"/{WORKSPACE}/artifact/{prefix}?format=zip"
    said = say(tapped, f"GET {zipped} HTTP/1.1\r\nHost: x\r\n\r\n".encode(), answers=1)
    assert disposition(said.answers[0])[1] == f"{prefix.rpartition('/')[2]}.zip"
    check_heard(tap, {"GET"})


def check_refused(gateway: Gateway, method: str, **arguments: Document) -> None:
    with pytest.raises(RpcError) as caught:
        gateway.rpc(method, **arguments)
    assert (caught.value.status, caught.value.code) in (
        (400, "InvalidPath"),
        (400, "InvalidArgument"),
    )


@pytest.mark.parametrize("mark", MARKS)
def test_names_with_marks_are_refused_by_rpc_and_never_saved(
    mark: str, tapped: Gateway, tap: WireTap
) -> None:
    prefix = tapped.new_prefix()
    tapped.rpc("create", prefix=prefix, manifest={"type": "dataset"}, stage=True)
    tap.forget()
    name = f"a{mark}.csv"
    for method, arguments in (
        ("put_file", {"prefix": prefix, "file_path": name}),
        ("remove_file", {"prefix": prefix, "file_path": name}),
        ("create", {"prefix": f"{prefix}{mark}", "manifest": {"type": "dataset"}}),
        ("get_file", {"prefix": prefix, "path": name, "options": {"stage": True}}),
    ):
        check_refused(tapped, method, **arguments)
    assert not tap.requests
    token = tapped.rpc("generate_token", key="admin", grants={WORKSPACE: "write"})
    target = f"/{WORKSPACE}/artifact/{prefix}/{quote(name)}?download=true&stage=true"
    asked = f"GET {target} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n"
    said = say(tapped, asked.encode() + LAST)
    assert len(said.answers) == 2, said
    assert said.answers[0].status in (400, 404)
    check_said(said.answers[0])
    check_heard(tap, {"GET"})


def test_manifests_and_messages_with_marks_stay_in_documents(tapped: Gateway, tap: WireTap) -> None:
    prefix = tapped.new_prefix(public=True)
    marks = "".join(MARKS).replace("\0", "")
    fields = {"type": "dataset", "name": marks, "id": marks, "etag": marks, "location": marks}
    tap.forget()
    tapped.rpc("create", prefix=prefix, manifest=fields, stage=True)
    tapped.rpc("commit", prefix=prefix, message=marks)
    check_heard(tap, {"GET", "HEAD", "PUT", "DELETE"})
    for target in (f"/{WORKSPACE}/artifact/{prefix}", f"/{WORKSPACE}/artifact/{prefix}?format=zip"):
        said = say(tapped, f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode() + LAST)
        assert said.statuses == [200, 200]
        check_said(said.answers[0])
    read = json.loads(tapped.anonymous("GET", f"/{WORKSPACE}/artifact/{prefix}").content)
    assert read["name"] == marks
    check_heard(tap, {"GET", "HEAD", "PUT", "DELETE"})
