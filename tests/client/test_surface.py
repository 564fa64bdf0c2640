"""What the client offers: every method as its row has it, every error, and nothing else loaded."""

import inspect
import subprocess
import sys
from copy import copy

import pytest

from gateway import client, errors
from gateway.client import AsyncClient, Client, GatewayError
from gateway.client.errors import refusal
from gateway.client.session import REPEATABLE
from gateway.services.registry.argument import Argument
from gateway.services.registry.method import METHODS, Method

SERVER = ("aiohttp", "multidict", "yarl", "sqlalchemy", "alembic", "botocore", "yaml")
OWN = {"gateway", "gateway.s3", "gateway.s3.canonical"}
LOADED = """
import sys
before = set(sys.modules)
import gateway.client
print(*sorted(set(sys.modules) - before))
"""


def offered(cls: type, name: str) -> object:
    """The method of a client that a method of the gateway has become."""
    group, _, plain = name.rpartition(".")
    if group:
        made = cls("http://127.0.0.1:1", "my-workspace")
        try:
            found: object = getattr(getattr(made, group), plain)
        finally:
            if isinstance(made, Client):
                made.close()
    else:
        found = getattr(cls, plain)
    return found


def expected(argument: Argument) -> tuple[str, object]:
    if argument.required:
        return argument.name, inspect.Parameter.empty
    return argument.name, argument.default


@pytest.mark.parametrize("cls", [AsyncClient, Client])
@pytest.mark.parametrize("method", METHODS.values(), ids=lambda method: method.name)
def test_each_method_takes_what_its_row_says(cls: type, method: Method) -> None:
    found = offered(cls, method.name)
    assert callable(found)
    parameters = [
        each for each in inspect.signature(found).parameters.values() if each.name != "self"
    ]
    assert [(each.name, each.default) for each in parameters] == [
        expected(argument) for argument in method.arguments
    ]
    assert {each.kind for each in parameters} <= {inspect.Parameter.POSITIONAL_OR_KEYWORD}
    assert inspect.iscoroutinefunction(found) is (cls is AsyncClient)
    assert inspect.getdoc(found)


def test_what_changes_nothing_is_repeatable_and_what_makes_versions_is_not() -> None:
    assert {method.name for method in METHODS.values() if method.reads} <= REPEATABLE
    assert METHODS.keys() >= REPEATABLE
    assert REPEATABLE.isdisjoint(
        {"create", "edit", "commit", "rollback", "index", "discard", "delete", "remove_file"}
    )


@pytest.mark.parametrize(
    ("code", "builtin"),
    [
        ("ArtifactExists", FileExistsError),
        ("NoSuchArtifact", FileNotFoundError),
        ("NoSuchKey", FileNotFoundError),
        ("NoSuchVersion", FileNotFoundError),
        ("AccessDenied", PermissionError),
        ("InvalidArgument", ValueError),
        ("SchemaViolation", ValueError),
        ("InvalidManifest", ValueError),
        ("NotStaged", RuntimeError),
        ("EditOpen", RuntimeError),
        ("CommitConflict", RuntimeError),
        ("ServiceUnavailable", ConnectionError),
    ],
)
def test_a_refusal_is_the_builtin_that_fits(code: str, builtin: type[Exception]) -> None:
    status = next(
        each.status
        for each in vars(errors).values()
        if isinstance(each, type) and issubclass(each, errors.GatewayError) and each.code == code
    )
    body = f'{{"error": {{"code": "{code}", "message": "why", "details": {{"path": "a"}}}}}}'
    error = refusal(status, body.encode())
    assert isinstance(error, builtin)
    assert isinstance(error, GatewayError)
    assert type(error) is getattr(client, code)
    assert (error.code, error.status, error.message, error.details) == (
        code,
        status,
        "why",
        {"path": "a"},
    )
    assert (str(error), str(copy(error))) == (f"{code}: why",) * 2


def test_each_error_of_the_gateway_is_some_builtin_as_its_status_says() -> None:
    families = {400: ValueError, 403: PermissionError, 404: FileNotFoundError, 503: ConnectionError}
    for each in vars(errors).values():
        if isinstance(each, type) and issubclass(each, errors.GatewayError):
            xml = f"<Error><Code>{each.code}</Code><Message>a &lt; b</Message></Error>"
            error = refusal(each.status, xml.encode())
            assert (error.code, error.message) == (each.code, "a < b")
            assert isinstance(error, families.get(each.status, Exception))


def test_what_answers_instead_of_the_gateway_is_quoted() -> None:
    error = refusal(502, b"<html>Bad Gateway</html>")
    assert isinstance(error, ConnectionError)
    assert (error.code, error.message) == ("HTTP 502", "<html>Bad Gateway</html>")


def test_importing_it_loads_nothing_of_the_server() -> None:
    ran = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)
    loaded = ran.stdout.split()
    assert "gateway.client.client" in loaded
    assert [name for name in loaded if name.split(".")[0] in SERVER] == []
    own = {name for name in loaded if name.split(".")[0] == "gateway"}
    assert {name for name in own if not name.startswith("gateway.client")} == OWN
