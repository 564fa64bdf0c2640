"""POST policies: what the signer of an upload form allows whoever fills it in.

The specification: "POST Policy" of the S3 API Reference. What a policy says has been signed
before it is read here; a form's fields have not, and each of them needs a condition.
"""

import json
import re
from base64 import b64decode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from gateway.errors import AccessDenied, EntityTooLarge, EntityTooSmall, InvalidPolicyDocument

_EQ = "eq"
_STARTS_WITH = "starts-with"
_LENGTH_RANGE = "content-length-range"
_CONTENT_TYPE = "content-type"

# What may not be left open: a policy for any bucket, or for any key's signature, is none.
_EXACT = frozenset(
    {"bucket", "success_action_status", "x-amz-algorithm", "x-amz-credential", "x-amz-date"}
)
_FREE = frozenset({"file", "policy", "x-amz-signature"})
_IGNORED = "x-ignore-"

_EXPIRATION = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)", re.ASCII
)
_NUMBER = re.compile(r"[0-9]{1,19}")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
# S3 knows two escapes that JSON does not.
_OWN_ESCAPES = {"$": "$", "v": r"\u000b"}


@dataclass(frozen=True, slots=True)
class Condition:
    """What one field must be: exactly `value`, or, with `prefix`, anything that starts so.

    `field` is in lower case, without its "$".
    """

    field: str
    value: str
    prefix: bool = False

    def holds(self, value: str) -> bool:
        """Whether a field with this value meets it; one that is not there has the value ""."""
        if not self.prefix:
            return value == self.value
        if self.field in _EXACT:
            return False
        if self.field == _CONTENT_TYPE:
            return all(each.strip().startswith(self.value) for each in value.split(","))
        return value.startswith(self.value)

    def __str__(self) -> str:
        operator = _STARTS_WITH if self.prefix else _EQ
        return json.dumps([operator, f"${self.field}", self.value], ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class LengthRange:
    """The sizes that a file may have, in bytes: first <= size <= last."""

    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy document. All conditions must hold, several of one field too."""

    expiration: datetime
    conditions: tuple[Condition, ...]
    lengths: tuple[LengthRange, ...] = ()

    def check(self, fields: Mapping[str, str], now: datetime) -> None:
        """Nothing, if a form with these fields (lower-case names) is allowed; AccessDenied.

        Every field needs a condition, but for the policy's own signature and x-ignore-*. The
        bucket that the form was sent to counts as one of its fields.
        """
        if now >= self.expiration:
            raise AccessDenied("Invalid according to Policy: Policy expired.")
        for condition in self.conditions:
            if not condition.holds(fields.get(condition.field, "")):
                raise AccessDenied(
                    f"Invalid according to Policy: Policy Condition failed: {condition}"
                )
        covered = _FREE.union(condition.field for condition in self.conditions)
        extra = [name for name in fields if name not in covered and not _is_ignored(name)]
        if extra:
            raise AccessDenied(
                f"Invalid according to Policy: Extra input fields: {', '.join(extra)}"
            )

    def check_length(self, size: int) -> None:
        """Nothing, if the file may have `size` bytes; EntityTooSmall, EntityTooLarge."""
        for allowed in self.lengths:
            if size < allowed.first:
                raise EntityTooSmall(
                    "Your proposed upload is smaller than the minimum allowed size",
                    ProposedSize=size,
                    MinSizeAllowed=allowed.first,
                )
            if size > allowed.last:
                raise EntityTooLarge(
                    "Your proposed upload exceeds the maximum allowed size",
                    ProposedSize=size,
                    MaxSizeAllowed=allowed.last,
                )


def parse_policy(text: str) -> Policy:
    """The policy in a form's field: JSON in base64, which may be broken into lines.

    Names of fields and operators come in any case. InvalidPolicyDocument for what is none.
    """
    document = _load(text)
    if not isinstance(document, _Pairs):
        raise _invalid("it is no JSON object")
    members = dict(document)
    if len(members) != len(document) or not members.keys() >= {"expiration", "conditions"}:
        raise _invalid("it has one expiration and one list of conditions")
    listed = members["conditions"]
    if not isinstance(listed, list):
        raise _invalid("its conditions are no list")
    conditions: list[Condition] = []
    lengths: list[LengthRange] = []
    for each in listed:
        for parsed in _parse_condition(each):
            if isinstance(parsed, LengthRange):
                lengths.append(parsed)
            else:
                conditions.append(parsed)
    return Policy(_expiration(members["expiration"]), tuple(conditions), tuple(lengths))


class _Pairs(tuple[tuple[str, object], ...]):
    """A JSON object as it stands: members of one name all count."""

    __slots__ = ()


def _load(text: str) -> object:
    try:
        data = b64decode(re.sub(r"[\r\n]", "", text), validate=True).decode("utf-8")
        return json.loads(
            _ESCAPE.sub(_json_escape, data),
            object_pairs_hook=_Pairs,
            parse_float=_refuse_number,
            parse_constant=_refuse_number,
        )
    except (ValueError, RecursionError):
        raise _invalid("it is not JSON in UTF-8 and base64") from None


def _json_escape(match: re.Match[str]) -> str:
    return _OWN_ESCAPES.get(match[1], match[0])


def _refuse_number(text: str) -> object:
    raise ValueError(text)


def _expiration(value: object) -> datetime:
    if isinstance(value, str) and _EXPIRATION.fullmatch(value):
        try:
            return datetime.fromisoformat(value).astimezone(UTC)
        except (ValueError, OverflowError):
            pass
    raise _invalid("its expiration is no time such as 2030-12-31T12:00:00.000Z")


def _parse_condition(value: object) -> Iterator[Condition | LengthRange]:
    if isinstance(value, _Pairs) and value:
        for name, wanted in value:
            if not isinstance(wanted, str):
                raise _invalid("a condition asks for what is no text")
            yield Condition(name.lower(), wanted)
        return
    match value:
        case [str() as operator, str() as name, str() as wanted] if name.startswith("$"):
            if operator.lower() not in (_EQ, _STARTS_WITH):
                raise _invalid(f"it knows no condition {operator!r}")
            yield Condition(name[1:].lower(), wanted, operator.lower() == _STARTS_WITH)
        case [str() as operator, first, last] if operator.lower() == _LENGTH_RANGE:
            yield LengthRange(_size(first), _size(last))
        case _:
            raise _invalid("a condition is {field: value} or [operator, $field, value]")


def _size(value: object) -> int:
    # Some signers write numbers as text.
    text = value if isinstance(value, str) else str(value) if type(value) is int else ""
    if _NUMBER.fullmatch(text) is None:
        raise _invalid(f"{_LENGTH_RANGE} takes two numbers of bytes")
    return int(text)


def _is_ignored(name: str) -> bool:
    return name.startswith(_IGNORED)


def _invalid(reason: str) -> InvalidPolicyDocument:
    return InvalidPolicyDocument(f"Invalid Policy: {reason}.")
