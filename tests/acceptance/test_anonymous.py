"""What callers without a right read: what is public, through every door, and nothing else."""

import json
import re
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from gateway.identity import Right
from gateway.s3.operation import OPERATIONS, Level, Operation
from tests.acceptance.harness import Document, Gateway, Response, RpcError
from tests.acceptance.publics import (
    ARTIFACTS,
    COMMITTED,
    HTML,
    NONE,
    OBJECTS,
    ORDINARY,
    PRIVATE,
    STAGED,
    STAGED_ALONE,
)
from tests.acceptance.silence import code

OPEN = {ARTIFACTS: COMMITTED, OBJECTS: (*COMMITTED, *ORDINARY), NONE: ()}
"""What of each workspace is for everybody."""

WORKSPACES = pytest.mark.parametrize("workspace", OPEN)
# Unsigned, or with a key that holds nothing on these workspaces.
STRANGERS = pytest.mark.parametrize("stranger", ["anonymous", "other"])
NAMES = re.compile(rb"<(?:Key|Prefix)>([^<]+)</(?:Key|Prefix)>")


def ask(
    gateway: Gateway, stranger: str, method: str, target: str, headers: dict[str, str] | None = None
) -> Response:
    if stranger == "anonymous":
        return gateway.request(method, target, headers)
    return gateway.signed(method, target, stranger, headers)


def names(answer: Response) -> list[str]:
    assert answer.status == 200, answer
    return sorted(
        name.decode() for name in NAMES.findall(answer.body.split(b"<IsTruncated>", 1)[1])
    )


def every_key() -> Iterator[str]:
    yield from (*COMMITTED, *ORDINARY, *STAGED_ALONE, *PRIVATE)


@WORKSPACES
@STRANGERS
def test_objects_are_read_where_they_are_public(
    publics: Gateway, workspace: str, stranger: str
) -> None:
    attributes = {"x-amz-object-attributes": "ETag"}
    for key in every_key():
        target = f"/{workspace}/{key}"
        statuses = {
            ask(publics, stranger, "GET", target).status,
            ask(publics, stranger, "HEAD", target).status,
            ask(publics, stranger, "GET", f"{target}?tagging").status,
            ask(publics, stranger, "GET", f"{target}?attributes", attributes).status,
        }
        if key in OPEN[workspace]:
            expected = 200
        else:
            hidden = key.startswith("public/") and workspace != NONE
            expected = 404 if hidden else 403
        assert statuses == {expected}, (key, statuses)


@WORKSPACES
@STRANGERS
def test_the_commit_is_what_is_read(publics: Gateway, workspace: str, stranger: str) -> None:
    target = f"/{workspace}/public/set/page.html"
    staged = publics.s3("admin").head_object(Bucket=workspace, Key="public/set/page.html")
    for headers in ({}, {"Range": "bytes=0-"}, {"If-None-Match": staged["ETag"]}):
        answer = ask(publics, stranger, "GET", target, headers)
        assert STAGED not in answer.body
        assert (answer.body == HTML) == (workspace != NONE)
    answer = ask(publics, stranger, "GET", f"{target}?versionId={staged['VersionId']}")
    assert answer.status == (403 if workspace == NONE else 404)


def operations() -> list[Operation]:
    return [each for each in OPERATIONS if each.level is not Level.SERVICE and not each.public]


@STRANGERS
def test_all_other_operations_need_a_right(publics: Gateway, stranger: str) -> None:
    """Also those that read: what an ACL, a lock or an annotation says is not for everybody."""
    assert sum(each.right is Right.READ for each in operations()) > 4
    for operation in operations():
        path = f"/{OBJECTS}/public/plain.txt" if operation.level is Level.OBJECT else f"/{OBJECTS}"
        query = "&".join(f"{name}=1" for name in sorted(operation.subresources))
        headers = {"x-amz-copy-source": f"{OBJECTS}/public/plain.txt"} if operation.copies else {}
        answer = ask(publics, stranger, operation.method, f"{path}?{query}", headers)
        assert answer.status in {403, 409, 501}, (operation.name, answer.status)
        if operation.method != "HEAD":
            refused = code(answer) in {"AccessDenied", "BucketAlreadyExists", "NotImplemented"}
            assert refused, (operation.name, answer)
    assert ask(publics, stranger, "GET", f"/{OBJECTS}/public/plain.txt").status == 200


@WORKSPACES
@STRANGERS
def test_listings_show_what_is_public(publics: Gateway, workspace: str, stranger: str) -> None:
    expected = sorted(OPEN[workspace])
    for version in ("", "&list-type=2"):

        def listed(query: str, version: str = version) -> Response:
            return ask(publics, stranger, "GET", f"/{workspace}?{query or 'max-keys=9'}{version}")

        for query in ("", "prefix=", "prefix=pub", "prefix=set/", "prefix=_public", "prefix=.",
                      "prefix=publications/", "prefix=public/../set/", "delimiter=/",
                      "prefix=PUBLIC/", "prefix=public%5C..%5Cset%5C"):  # fmt: skip
            answer = listed(query)
            assert (answer.status, code(answer)) == (403, "AccessDenied"), query
        for query in ("prefix=public", "prefix=public/", "prefix=public/&max-keys=1000",
                      "prefix=public%2F", "prefix=/public/", "prefix=public//"):  # fmt: skip
            answer = listed(query)
            if workspace == NONE:
                assert (answer.status, code(answer)) == (403, "AccessDenied")
            else:
                assert names(answer) == expected, query
        if workspace == NONE:
            continue
        assert names(listed("prefix=public/&delimiter=/")) == sorted(
            ["public/set/", *(ORDINARY if workspace == OBJECTS else ())]
        )
        assert names(listed("prefix=public&delimiter=/")) == ["public/"]
        assert names(listed("prefix=public/set/")) == sorted(COMMITTED)
        assert names(listed("prefix=public/draft")) == []
    for query in ("versions&prefix=public/", "uploads&prefix=public/", "location", "acl"):
        assert ask(publics, stranger, "GET", f"/{workspace}?{query}").status == 403
    assert ask(publics, stranger, "HEAD", f"/{workspace}").status == 403


@pytest.mark.parametrize(
    "spelling",
    [
        "public/../set/page.html",
        "public/%2e%2E/set/page.html",
        "public%2F..%2Fset/page.html",
        "public%2f%2e%2e%2fset%2fpage.html",
        "public/x/../../set/page.html",
        "public/./../set/page.html",
        "public%5C..%5Cset%5Cpage.html",
        "public//..//set//page.html",
        "/set/page.html",
        "//set/page.html",
        "set//page.html",
        "%73et/page.html",
        "./set/page.html",
        "PUBLIC/../set/page.html",
        "public%00/../set/page.html",
        "public/..%00/set/page.html",
        "public%252F../set/page.html",
        "public;/../set/page.html",
        "public/set/page.html/../../../set/page.html",
    ],
)
def test_no_spelling_leads_out_of_what_is_public(publics: Gateway, spelling: str) -> None:
    for door in ("", "artifact/", "artifact//"):
        for workspace in (ARTIFACTS, OBJECTS):
            answer = publics.request("GET", f"/{workspace}/{door}{spelling}")
            assert answer.status in {400, 403, 404}, (door, answer)
            assert b"committed" not in answer.body


@pytest.mark.parametrize(
    "spelling",
    ["public/set/page.html", "%70ublic/set/page.html", "public%2Fset%2Fpage.html",
     "public//set/page.html", "/public/set/page.html", "public%5Cset/page.html"],
)  # fmt: skip
def test_other_spellings_of_what_is_public_are_read(publics: Gateway, spelling: str) -> None:
    answer = publics.request("GET", f"/{ARTIFACTS}/{spelling}")
    assert (answer.status, answer.body) == (200, HTML)


@WORKSPACES
@STRANGERS
def test_the_artifact_door_shows_what_is_public(
    publics: Gateway, workspace: str, stranger: str
) -> None:
    token = publics.rpc("generate_token", key="admin", grants={"other-workspace": "admin"})
    headers = {} if stranger == "anonymous" else {"Authorization": f"Bearer {token}"}

    def get(path: str) -> Response:
        return publics.request("GET", f"/{workspace}/artifact/{path}", headers)

    shown = 403 if workspace == NONE else 200
    for path in ("public/set", "public/set/", "public/set?format=zip", "public/set/page.html"):
        answer = get(path)
        assert answer.status == shown, (path, answer)
        assert STAGED not in answer.body
        assert b"new.csv" not in answer.body
    if workspace != NONE:
        assert get("public/set/page.html").body == HTML
        assert json.loads(get("public/set").body)["name"] == "public/set"
    absent = 403 if workspace == NONE else 404
    for path in ("public/draft", "public/draft/f.csv", "public/draft/", "public/set/new.csv",
                 "public/plain.txt", "public/draft?format=zip"):  # fmt: skip
        assert get(path).status == absent, path
    for path in ("set", "set/", "set/page.html", "set?format=zip", "public/set?stage=true",
                 "public/set/page.html?stage=true", "plain.txt", "publications/x",
                 "public/draft?stage=true"):  # fmt: skip
        assert get(path).status == 403, path


@WORKSPACES
def test_the_rpc_door_answers_strangers_what_is_public(publics: Gateway, workspace: str) -> None:
    def call(method: str, **arguments: Document) -> Document:
        answer = publics.request(
            "POST",
            f"/_rpc/{workspace}/{method}",
            {"Content-Type": "application/json"},
            json.dumps(arguments).encode(),
        )
        document = json.loads(answer.body)
        if answer.status != 200:
            error = document["error"]
            raise RpcError(answer.status, error["code"], error["message"], error["details"])
        return document

    def status(method: str, **arguments: Document) -> int:
        try:
            call(method, **arguments)
        except RpcError as error:
            return error.status
        return 200

    shown = 403 if workspace == NONE else 200
    for method in ("read", "list_files", "versions"):
        assert status(method, prefix="public/set") == shown
        assert status(method, prefix="set") == 403
        assert status(method, prefix="public/draft") == (403 if workspace == NONE else 404)
    for method in ("read", "list_files", "list"):
        assert status(method, prefix="public/set", stage=True) == 403
    assert call("list", prefix="") == ([] if workspace == NONE else ["public"])
    assert status("get_file", prefix="public/set", path="page.html") == shown
    assert status("get_file", prefix="set", path="page.html") == 403
    assert status("get_file", prefix="public/set", path="page.html", options={"stage": True}) == 403
    for method, arguments in (
        ("create", {"manifest": {"type": "dataset"}}),
        ("edit", {}),
        ("commit", {}),
        ("discard", {}),
        ("delete", {}),
        ("put_file", {"file_path": "x"}),
        ("remove_file", {"file_path": "page.html"}),
        ("index", {}),
        ("rollback", {"version": 1}),
        ("reset_stats", {}),
    ):
        assert status(method, prefix="public/set", **arguments) == 403, method
    if workspace == NONE:
        return
    url = call("get_file", prefix="public/set", path="page.html")
    answer = publics.request("GET", url.removeprefix(publics.url))
    assert (answer.status, answer.body) == (200, HTML)
    for changed in (
        url.replace("/public/", "/public/../"),
        url.replace("/public/set/", "/set/"),
        url.replace("page.html", quote("new.csv")),
        f"{url}&stage=true",
    ):
        assert publics.request("GET", changed.removeprefix(publics.url)).status in {400, 403}


def test_copies_take_what_is_public(publics: Gateway) -> None:
    """Who may write elsewhere copies from here what everybody reads, and nothing else."""
    client = publics.s3("other")
    target = {"Bucket": "other-workspace", "Key": "copied"}
    for workspace, shown in OPEN.items():
        for key in every_key():
            source = quote(f"{workspace}/{key}")
            answer = publics.signed(
                "PUT", "/other-workspace/copied", "other", {"x-amz-copy-source": source}
            )
            assert (answer.status == 200) == (key in shown), (workspace, key, answer)
            if answer.status != 200:
                assert answer.status in {403, 404}
            elif key.endswith("page.html"):
                assert client.get_object(**target)["Body"].read() == HTML
