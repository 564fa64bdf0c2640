"""The reference of the methods, docs/rpc.md, made from their rows: `make reference`."""

import json
from pathlib import Path

from gateway.services.registry.argument import Argument, Kind
from gateway.services.registry.method import METHODS, Method
from gateway.web.returns import SCHEMAS, shape_schema

PAGE = Path(__file__).parents[2] / "docs" / "rpc.md"
HEAD = """\
# Methods

The registry's methods, as programs call them. This page is made from the same rows as the doors,
the clients and `GET /_rpc/openapi.json` (OpenAPI 3.1): `make reference` writes it.

    curl -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \\
      -d '{"prefix": "public/gallery/seedlings"}' http://127.0.0.1:9000/_rpc/my-workspace/read

Arguments are keyword arguments in a JSON object; what is optional may be left out or null. The
answer is JSON. A refusal is `{"error": {"code", "message", "details"}}` with its status; the README
lists the codes. A method needs the right that stands behind its name; what is public is read
without.
"""


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *map(_section, METHODS.values()), _shapes()])


def _section(method: Method) -> str:
    lines = [f"## `{method.name}` ({method.right.name.lower()})", "", method.about, ""]
    if method.arguments:
        lines += ["| argument | holds | |", "|---|---|---|"]
        for argument in method.arguments:
            lines.append(_row(argument))
            lines += [_row(option, f"{argument.name}.") for option in argument.options]
        lines.append("")
    lines += [f"Returns {_spelled(shape_schema(method.returns))}.", ""]
    return "\n".join(lines)


def _row(argument: Argument, before: str = "") -> str:
    kind = "object" if argument.kind is Kind.OPTIONS else argument.kind.value
    default = "" if argument.default is None else f", `{json.dumps(argument.default)}` unless said"
    needed = ", mandatory" if argument.required else default
    return f"| `{before}{argument.name}` | {kind}{needed} | {argument.about} |"


def _shapes() -> str:
    shapes = [f"- **{name}**: {_spelled(schema)}" for name, schema in SCHEMAS.items()]
    return "\n".join(["## What is returned", "", *shapes, ""])


def _spelled(schema: object) -> str:
    """A JSON Schema in words."""
    match schema:
        case {"$ref": str(name)}:
            words = f"**{name.rsplit('/', 1)[1]}**"
        case {"oneOf": list(choices)}:
            words = " or ".join(map(_spelled, choices))
        case {"const": value}:
            words = f"`{json.dumps(value)}`"
        case {"type": "array", "items": items}:
            words = f"a list of {_spelled(items)}"
        case {"type": "object", "properties": dict(properties), **rest}:
            words = _object(properties, rest.get("required", []), rest.get("additionalProperties"))
        case {"type": "null"}:
            words = "null"
        case {"type": str(), "format": "uri"}:
            words = "a URL"
        case {"type": str(kind)}:
            words = f"a {kind}"
        case _:
            words = f"`{json.dumps(schema)}`"
    return words


def _object(properties: dict[str, object], needed: object, others: object) -> str:
    assert isinstance(needed, list)
    named = [f"`{name}`{'' if name in needed else '?'}" for name in properties]
    more = "" if others is False else ", and the author's fields"
    return f"{{{', '.join(named)}{more}}}"


if __name__ == "__main__":
    PAGE.write_text(page())
