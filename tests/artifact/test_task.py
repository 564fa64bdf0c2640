"""What a validating process answers to what it is asked."""

import base64
import json

import pytest

from gateway.artifact.task import answer

LIMIT = 100


def ask(**request: object) -> object:
    return json.loads(answer(json.dumps(request).encode(), LIMIT))


def test_values_come_back_as_json() -> None:
    data = base64.b64encode(b"type: x\nwhen: 2024-01-02").decode()
    assert ask(task="parse", data=data) == {"value": {"type": "x", "when": "2024-01-02"}}
    rendered = base64.b64encode(b"type: x\n").decode()
    assert ask(task="render", fields={"type": "x"}) == {
        "value": {"data": rendered, "fields": {"type": "x"}}
    }
    assert ask(task="check_schema", schema={}) == {"value": []}
    missing = ["", "'a' is a required property"]
    schema = {"required": ["a"]}
    assert ask(task="violations", schema=schema, document={}) == {"value": [missing]}


def test_refusals_keep_their_details() -> None:
    data = base64.b64encode(b"a: 1").decode()
    message = "Invalid manifest at line 1, column 1: it has no `type`"
    details = {"line": 1, "column": 1, "missing": "type"}
    expected = {"refused": {"message": message, "details": details}}
    assert ask(task="parse", data=data) == expected


def test_the_limit_holds_for_what_is_rendered() -> None:
    answered = ask(task="render", fields={"type": "x" * LIMIT})
    assert isinstance(answered, dict)
    assert "100 are allowed" in answered["refused"]["message"]


@pytest.mark.parametrize(
    "request_",
    [b"", b"{}", b"[]", b"[" * 100_000, b'{"task": "x"}', b'{"task": "parse"}', b'{"task": []}'],
)
def test_what_is_no_task_fails_by_name(request_: bytes) -> None:
    answered = json.loads(answer(request_, LIMIT))
    assert list(answered) == ["failed"]
    assert answered["failed"].isidentifier()


def test_fields_that_are_no_mapping_are_refused() -> None:
    answered = ask(task="render", fields=[1])
    assert isinstance(answered, dict)
    assert "not a mapping" in answered["refused"]["message"]
