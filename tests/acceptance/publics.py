"""Three workspaces, one for each value of `public`, that hold the same."""

from collections.abc import Iterator

import pytest

from tests.acceptance.harness import Backend, Gateway
from tests.acceptance.keys import OTHER_WORKSPACE, WORKSPACE
from tests.acceptance.pages import Pages
from tests.acceptance.steps import manifest
from tests.acceptance.wire import WireTap

ARTIFACTS, OBJECTS, NONE = WORKSPACE, "open-workspace", "shut-workspace"
ORIGIN = "https://app.example.org"
DOMAIN = "s3.example.org"
KEPT = "public, max-age=60"
"""What the author says of every object."""

HTML = b"<p id=shown>committed</p><script>document.getElementById('shown').id = 'ran'</script>"
STAGED = b"<p>staged, and nobody's business</p>"

COMMITTED = ("public/set/page.html", "public/set/manifest.yaml")
ORDINARY = ("public/plain.txt",)
STAGED_ALONE = ("public/set/new.csv", "public/set/_manifest.yaml", "public/draft/f.csv")
PRIVATE = ("set/page.html", "set/manifest.yaml", "plain.txt", "public", "publications/x", "_public")


@pytest.fixture(scope="package")
def watched(backend: Backend) -> Iterator[WireTap]:
    """What stands between that gateway and the backend."""
    with WireTap(backend.endpoint_url) as listening:
        yield listening


@pytest.fixture(scope="package")
def publics(
    backend: Backend, watched: WireTap, pages: Pages, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    """The gateway in front of them, for tests that only read.

    Pages of ORIGIN may use it, and those of `pages` at "localhost".
    """
    workspaces = {}
    for name, public in ((ARTIFACTS, "artifacts"), (OBJECTS, "objects"), (NONE, "none")):
        backend.client().create_bucket(Bucket=f"publics-{public}")
        workspaces[name] = {"bucket": f"publics-{public}", "public": public}
    backend.client().create_bucket(Bucket="publics-others")
    workspaces[OTHER_WORKSPACE] = {"bucket": "publics-others"}
    settings = {
        "workspaces": workspaces,
        "system": {"bucket": "publics-system", "prefix": ""},
        "cors": {"allow_origins": [ORIGIN, pages.origin("localhost")]},
    }
    running = Gateway(
        backend, tmp_path_factory.mktemp("publics"), settings, endpoint_url=watched.url
    )
    configuration = running.configuration()
    running.settings = settings | {"listen": configuration["listen"] | {"domain": DOMAIN}}
    try:
        running.start()
        for name in (ARTIFACTS, OBJECTS, NONE):
            fill(running, name)
        yield running
    finally:
        running.stop()


def fill(gateway: Gateway, workspace: str) -> None:
    """Put the same into each: public and private, committed, ordinary and staged."""
    admin = gateway.s3("admin")

    def put(key: str, body: bytes, content_type: str = "text/html") -> None:
        admin.put_object(
            Bucket=workspace, Key=key, Body=body, ContentType=content_type, CacheControl=KEPT
        )

    for prefix in ("public/set", "set"):
        put(f"{prefix}/page.html", HTML)
        put(f"{prefix}/manifest.yaml", manifest(name=prefix))
    for key in (*ORDINARY, "plain.txt", "public", "publications/x", "_public"):
        put(key, key.encode(), "text/plain")
    put("public/set/page.html", STAGED)
    put("public/set/new.csv", STAGED)
    put("public/set/_manifest.yaml", manifest(name="staged"))
    put("public/draft/f.csv", STAGED)
    put("public/draft/_manifest.yaml", manifest(name="draft"))
