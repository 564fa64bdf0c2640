"""The rules of the COUNTER Code of Practice, switched on: robots, double clicks, answers 304."""

import shutil
from collections.abc import Iterator

import pytest
import requests

from tests.acceptance.harness import WORKSPACE, Backend, Document, Gateway
from tests.acceptance.steps import downloads_of, make_gallery, publish

BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/130.0 Safari/537.36"
CRAWLER = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
RULES = {"double_click_seconds": 30, "exclude_robots": True, "count_not_modified": True}
FILES = {"a.csv": b"a" * 100, "b.csv": b"b" * 100}
WEIGHTS = [{"path": "a.csv", "download_weight": 1}, {"path": "b.csv", "download_weight": 10}]


@pytest.fixture(scope="module")
def ruled(backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway of two workers that counts by every rule, behind proxies that it trusts."""
    folder = tmp_path_factory.mktemp("ruled")
    gateway = Gateway(backend, folder)
    listen: Document = gateway.configuration()["listen"]
    gateway.settings = {
        "stats": RULES,
        "system": {"bucket": "system-of-the-ruled"},
        "listen": listen | {"workers": 2, "trusted_proxies": ["127.0.0.0/8"]},
    }
    try:
        yield gateway.start()
    finally:
        gateway.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def dataset(ruled: Gateway) -> str:
    """The prefix of a public dataset whose files weigh 1 and 10."""
    gallery = ruled.new_prefix(public=True)
    make_gallery(ruled, gallery)
    publish(ruled, f"{gallery}/example", FILES, files=WEIGHTS)
    return f"{gallery}/example"


def get(
    gateway: Gateway, dataset: str, path: str, address: str, agent: str = BROWSER, **headers: str
) -> requests.Response:
    return gateway.anonymous(
        "GET",
        f"/{WORKSPACE}/artifact/{dataset}/{path}",
        headers={"User-Agent": agent, "X-Forwarded-For": address, **headers},
    )


def test_of_one_clients_downloads_one_counts_whichever_worker_serves(
    ruled: Gateway, dataset: str
) -> None:
    # Each request is a connection of its own: both workers get some.
    for _ in range(12):
        assert get(ruled, dataset, "a.csv", "192.0.2.1").content == FILES["a.csv"]
    assert downloads_of(ruled, dataset) == 1
    get(ruled, dataset, "a.csv", "192.0.2.2")
    get(ruled, dataset, "a.csv", "192.0.2.1", agent=f"{BROWSER} Other/1.0")
    assert downloads_of(ruled, dataset) == 3
    get(ruled, dataset, "b.csv", "192.0.2.1")
    assert downloads_of(ruled, dataset) == 13


def test_a_key_is_one_client_and_who_uses_its_urls_are_others(ruled: Gateway, dataset: str) -> None:
    for key in ("read", "read", "write", "admin"):
        answer = ruled.signed(
            "GET", f"/{WORKSPACE}/{dataset}/a.csv", key, headers={"User-Agent": BROWSER}
        )
        assert answer.status == 200
    assert downloads_of(ruled, dataset) == 3
    url = ruled.rpc("get_file", key="read", prefix=dataset, path="a.csv")
    for address in ("192.0.2.1", "192.0.2.2", "192.0.2.2"):
        headers = {"User-Agent": BROWSER, "X-Forwarded-For": address}
        assert requests.get(url, headers=headers, timeout=60).content == FILES["a.csv"]
    assert downloads_of(ruled, dataset) == 5


def test_a_zip_after_a_file_is_the_same_click(ruled: Gateway, dataset: str) -> None:
    get(ruled, dataset, "a.csv", "192.0.2.1")
    for _ in range(2):
        headers = {"User-Agent": BROWSER, "X-Forwarded-For": "192.0.2.1"}
        target = f"/{WORKSPACE}/artifact/{dataset}?format=zip"
        assert ruled.anonymous("GET", target, headers=headers).status_code == 200
    assert downloads_of(ruled, dataset) == 11


def test_robots_are_served_and_not_counted(ruled: Gateway, dataset: str) -> None:
    assert get(ruled, dataset, "a.csv", "192.0.2.1", agent=CRAWLER).content == FILES["a.csv"]
    headers = {"User-Agent": CRAWLER}
    target = f"/{WORKSPACE}/artifact/{dataset}?format=zip"
    assert ruled.anonymous("GET", target, headers=headers).status_code == 200
    assert downloads_of(ruled, dataset) == 0


def test_what_a_client_has_already_counts(ruled: Gateway, dataset: str) -> None:
    etag = get(ruled, dataset, "a.csv", "192.0.2.1").headers["ETag"]
    again = get(ruled, dataset, "a.csv", "192.0.2.2", **{"If-None-Match": etag})
    assert again.status_code == 304
    assert downloads_of(ruled, dataset) == 2
    target = f"/{WORKSPACE}/artifact/{dataset}?format=zip"
    headers = {"User-Agent": BROWSER, "X-Forwarded-For": "192.0.2.3"}
    whole = ruled.anonymous("HEAD", target, headers=headers)
    known = headers | {"If-None-Match": whole.headers["ETag"]}
    assert ruled.anonymous("HEAD", target, headers=known).status_code == 304
    assert downloads_of(ruled, dataset) == 2
    assert ruled.anonymous("GET", f"{target}&silent=true", headers=known).status_code == 304
    assert downloads_of(ruled, dataset) == 2
    assert ruled.anonymous("GET", target, headers=known).status_code == 304
    assert downloads_of(ruled, dataset) == 13


def test_no_address_is_kept(ruled: Gateway, dataset: str) -> None:
    get(ruled, dataset, "a.csv", "198.51.100.77")
    assert downloads_of(ruled, dataset) == 1
    kept = [file.read_bytes() for file in ruled.data_dir.rglob("*") if file.is_file()]
    assert kept
    assert not any(b"198.51.100.77" in data for data in kept)
