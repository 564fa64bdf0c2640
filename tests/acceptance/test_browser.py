"""A real browser: what pages of other origins read, and what uploaded pages do."""

import json
from pathlib import Path

import pytest

from tests.acceptance.harness import Gateway
from tests.acceptance.pages import CHROMIUM, Pages, browsing, document_at
from tests.acceptance.publics import ARTIFACTS

PAGE = "public/set/page.html"

READING = """<!doctype html><body><script>
const asked = %s;
const attempt = async ({name, url, options}) => {
  try {
    const answer = await fetch(url, options);
    await answer.text();
    return [name, [answer.status, answer.headers.has("etag")]];
  } catch (error) {
    return [name, error.name];
  }
};
const attempts = Promise.all(asked.map(attempt)).then(Object.fromEntries);
</script>
"""
LISTED = (
    READING
    + """<script>
attempts.then(read => parent.postMessage({read}, "*"));
</script>
"""
)
UNLISTED = (
    READING
    + """<script>
const frames = %s;
const ran = [];
const told = new Promise(tell => addEventListener("message", ({data}) => {
  data.read ? tell(data.read) : ran.push(data);
}));
const loaded = frames.map(url => new Promise(resolve => {
  const frame = document.createElement("iframe");
  frame.onload = resolve;
  frame.src = url;
  document.body.append(frame);
}));
const rest = new Promise(resolve => setTimeout(resolve, 500));
Promise.all([attempts, told, rest, ...loaded]).then(([unlisted, listed]) =>
  fetch("/", {method: "POST", body: JSON.stringify({unlisted, listed, ran})}));
</script>
"""
)
ACTING = '<p id="idle">idle</p><script>idle.id = "ran"; parent.postMessage("%s", "*")</script>'


@pytest.mark.skipif(CHROMIUM is None, reason="Debian's chromium is not installed; .ci/run does")
def test_a_browser_keeps_pages_to_what_they_may_read(
    gateway: Gateway, publics: Gateway, pages: Pages, tmp_path: Path
) -> None:
    prefix = gateway.new_prefix(public=True)
    key = f"{prefix}/acting.html"
    gateway.rpc("create", prefix=prefix, manifest={"type": "dataset"}, stage=True)
    gateway.s3().put_object(
        Bucket=ARTIFACTS, Key=key, Body=(ACTING % "uploaded").encode(), ContentType="text/html"
    )
    gateway.rpc("commit", prefix=prefix)
    token = publics.rpc("generate_token", key="admin", grants={ARTIFACTS: "read"})
    private = {"Bucket": ARTIFACTS, "Key": "set/page.html"}
    bearer = {"Authorization": f"Bearer {token}"}
    public = f"{publics.url}/{ARTIFACTS}/{PAGE}"
    call = {
        "method": "POST",
        "headers": bearer | {"Content-Type": "application/json"},
        "body": json.dumps({"prefix": "set", "silent": True}),
    }
    asked = json.dumps(
        [
            {"name": "public", "url": public},
            {"name": "preflighted", "url": public, "options": {"headers": {"If-Match": "*"}}},
            {"name": "with cookies", "url": public, "options": {"credentials": "include"}},
            {
                "name": "presigned",
                "url": publics.s3("read").generate_presigned_url("get_object", Params=private),
            },
            {
                "name": "artifact door",
                "url": f"{publics.url}/{ARTIFACTS}/artifact/set/page.html",
                "options": {"headers": bearer},
            },
            {"name": "call", "url": f"{publics.url}/_rpc/{ARTIFACTS}/read", "options": call},
        ]
    )
    uploaded = [f"{gateway.url}/{ARTIFACTS}{door}/{key}" for door in ("", "/artifact")]
    pages.put("/listed", LISTED % asked)
    pages.put("/acting", ACTING % "elsewhere")
    elsewhere = f"{pages.origin('127.0.0.1')}/acting"
    frames = [*uploaded, elsewhere, f"{pages.origin('localhost')}/listed"]
    pages.put("/unlisted", UNLISTED % (asked, json.dumps(frames)))

    with browsing(f"{pages.origin('127.0.0.1')}/unlisted", tmp_path):
        found = pages.told()
    read = {"public": [200, True], "preflighted": [200, True], "with cookies": "TypeError"}
    private_to = {"presigned": "TypeError", "artifact door": "TypeError", "call": "TypeError"}
    assert found["unlisted"] == read | private_to
    everything = {"presigned": [200, True], "artifact door": [200, True], "call": [200, False]}
    assert found["listed"] == read | everything
    # The same page runs where nobody forbids it.
    assert found["ran"] == ["elsewhere"]
    assert '<p id="idle">' in document_at(uploaded[0], tmp_path)
