import re

from gateway.commands.artifact import exits
from gateway.services.registry.method import METHODS
from gateway.web.openapi import arguments_schema, document
from tests.docs import commands
from tests.docs.reference import PAGE, page


def test_the_reference_is_what_the_rows_say() -> None:
    assert PAGE.read_text() == page(), "make reference"


def test_the_command_line_is_what_the_commands_say() -> None:
    text = commands.PAGE.read_text()
    assert text == commands.page(), "make reference"
    table = text.split("\n## JSON\n", 1)[1].split("\n## ", 1)[0]
    told = re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)))
    assert sorted(told) == sorted(re.findall(r"^### `(\w+)", text, re.MULTILINE))


def test_the_command_line_has_every_exit_code() -> None:
    codes = re.findall(r"^\| (\d+) \|", commands.PAGE.read_text(), re.MULTILINE)
    named = (exits.REFUSED, exits.MISUSED, exits.ABSENT, exits.UNREACHABLE)
    assert [int(code) for code in codes] == [0, *named, exits.INTERRUPTED, exits.BROKEN_PIPE]


def test_openapi_has_every_method_with_its_arguments() -> None:
    paths = document("http://127.0.0.1:9000")["paths"]
    assert isinstance(paths, dict)
    assert set(paths) == {f"/_rpc/{{workspace}}/{name}" for name in METHODS}
    for method in METHODS.values():
        schema = arguments_schema(method.arguments)
        properties = schema["properties"]
        assert isinstance(properties, dict)
        assert list(properties) == [argument.name for argument in method.arguments]
        assert schema.get("required", []) == [a.name for a in method.arguments if a.required]
