"""Whatever raw path a signature is for: the backend gets that key, or hears nothing."""

import random
import re
import secrets
from urllib.parse import unquote_to_bytes

from tests.acceptance.harness import WORKSPACE, Gateway
from tests.acceptance.signer import Signer
from tests.acceptance.sockets import head, say
from tests.acceptance.wire import WireTap

PIECES = (
    *"abZ09-._~/+;:@!$'()*,=&|",
    *("//", "/./", "/../", "..", "%2F", "%2f", "%5C", "%5c", "%2E", "%2e%2E", "%3F", "%3f", "%23"),
    *("%3B", ";v=1", "%25", "%252F", "%20", "%2B", "%00", "%7E", "%7e", "%41", "%C3%A4", "%c3%a4"),
    *("%C3", "%FF", "%0D%0A", "%zz", "%", "%4", "[", "{", "^", "`", "manifest.yaml", ".versions/"),
)
# What is signed, and what some server takes for it.
CONFUSED = (
    *(("/", other) for other in ("//", "%2F", "/./", "/x/../", "%5C", "/%2e%2e/")),
    *(("%20", other) for other in ("+", "%2B", "%2520")),
    *(
        ("", other)
        for other in ("/", ";v=1", "%00", "%20", "%3F", "?", "#", "/..", "/../../other/k")
    ),
    *(("a", other) for other in ("%61", "%2561", "A")),
    *(("%c3%a4", "%C3%A4"), ("%7e", "~"), ("%3F", "?"), ("%2F", "/")),
)
SAMPLES = 400


def paths(chance: random.Random) -> tuple[str, str]:
    """A path that is signed, and the one that is sent."""
    before = f"/{WORKSPACE}/signed/" + "".join(chance.choices(PIECES, k=chance.randrange(4)))
    after = "".join(chance.choices(PIECES, k=chance.randrange(4)))
    if chance.random() < 0.4:
        return before + after, before + after
    one, other = chance.choice(CONFUSED)[:: chance.choice((1, -1))]
    return before + one + after, before + other + after


def meant(target: str) -> bytes | None:
    """Bucket and key of a raw target as SeaweedFS keeps them; None for what is no key."""
    path = target.partition("?")[0]
    if re.search(r"%(?![0-9A-Fa-f]{2})", path):
        return None
    bucket, _, key = path[1:].partition("/")
    folded = re.sub(rb"[/\\]+", b"/", unquote_to_bytes(key)).removeprefix(b"/")
    return b"/%s/%s" % (unquote_to_bytes(bucket), folded)


def test_backend_gets_the_key_that_was_signed_or_nothing(
    tapped: Gateway, tap: WireTap, signer: Signer
) -> None:
    seed = secrets.randbits(32)
    chance = random.Random(seed)  # noqa: S311 - so that a failure can be repeated
    passed = 0
    for _ in range(SAMPLES):
        signed, sent = paths(chance)
        tap.forget()
        request = head(signer, "GET", signed).replace(signed.encode(), sent.encode(), 1)
        said = say(tapped, request, answers=1)
        told = f"seed {seed}: signed {signed}, sent {sent}: {said.statuses}"
        heard = tap.requests
        assert len(heard) <= 1, told
        for each in heard:
            assert unquote_to_bytes(each.path) == meant(signed), told
            assert unquote_to_bytes(each.path) == meant(sent), told
            passed += 1
        assert said.answers[0].status < 500 or heard[0].status == said.answers[0].status, told
        if not heard:
            assert said.answers[0].status in (400, 403, 404), told
        if signed == sent and said.answers[0].status == 403:
            raise AssertionError(told)
    assert passed > SAMPLES // 10
