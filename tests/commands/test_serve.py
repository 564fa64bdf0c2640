"""`serve` on the embedded defaults, as a real process: start, stop, kill, workers, sample."""

import contextlib
import http.client
import json
import signal
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import botocore.config
import botocore.exceptions
import psutil
import pytest
import requests
import yaml
from typer.testing import CliRunner

from gateway import sample
from gateway.__main__ import application
from gateway.identity import AccessKey, Grants
from tests.commands.serving import ROOT, Serving
from tests.waiting import wait_until

GALLERY = "my-workspace/artifact/public/gallery"


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    started = Serving(tmp_path_factory.mktemp("serving"), ("--sample",)).start()
    yield started
    started.kill()


def test_it_prints_its_address_its_key_and_lines_to_paste(serving: Serving) -> None:
    assert serving.get("_health/ready").status_code == 200
    assert serving.key.access_key_id in serving.said
    assert serving.key.secret_access_key in serving.said
    for line in ("aws s3 ls", "boto3.resource", "rclone lsf", f"curl {serving.url}/{GALLERY}"):
        assert line in serving.said


def test_the_sample_gallery_is_there_for_anybody(serving: Serving) -> None:
    gallery = serving.get(GALLERY).json()
    names = [member["_prefix"] for member in gallery["collection"]]
    assert names == ["public/gallery/seedlings", "public/gallery/tide-pool"]
    table = serving.get(f"{GALLERY}/seedlings/heights.csv")
    assert table.content == (ROOT / "gateway/sample/gallery/seedlings/heights.csv").read_bytes()
    assert serving.get(f"{GALLERY}/seedlings").json()["_stats"]["download_count"] == 1


def test_the_sample_gallery_is_loaded_once(serving: Serving) -> None:
    assert sample.load(serving.url, serving.key, "my-workspace") == 0
    assert serving.get(f"{GALLERY}/tide-pool").json()["_version"] == 1


def test_a_sample_that_was_broken_off_is_completed(serving: Serving) -> None:
    body = json.dumps({"prefix": "public/gallery/tide-pool"})
    token = output("token", serving.key.access_key_id, "--data-dir", str(serving.folder)).strip()
    answer = requests.post(
        f"{serving.url}/_rpc/my-workspace/delete",
        data=body,
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        timeout=30,
    )
    assert answer.status_code == 200, answer.text
    assert sample.load(serving.url, serving.key, "my-workspace") == 1
    assert serving.get(f"{GALLERY}/tide-pool").status_code == 200


def output(*arguments: str) -> str:
    result = CliRunner().invoke(application, arguments)
    assert result.exit_code == 0, result.stderr
    return result.stdout


def test_keys_of_the_command_line_work_in_a_running_gateway(serving: Serving) -> None:
    folder = ("--data-dir", str(serving.folder))
    made: Mapping[str, str] = yaml.safe_load(
        output("keys", "create", "reader", "--grant", "my-workspace=read", *folder)
    )
    key = AccessKey(made["access_key_id"], made["secret_access_key"], "reader", Grants())
    client = serving.s3(key)
    assert client.list_objects_v2(Bucket="my-workspace")["KeyCount"] > 0
    with pytest.raises(botocore.exceptions.ClientError, match="AccessDenied"):
        client.put_object(Bucket="my-workspace", Key="x", Body=b"x")
    output("keys", "revoke", key.access_key_id, *folder)
    with pytest.raises(botocore.exceptions.ClientError, match="InvalidAccessKeyId"):
        client.list_objects_v2(Bucket="my-workspace")


def test_a_port_that_is_taken_is_one_line_and_a_second_gateway_too(
    serving: Serving, tmp_path: Path
) -> None:
    port = str(urlsplit(serving.url).port)
    for folder, number, reason in (
        (tmp_path, port, f"port {port} of 127.0.0.1"),
        (serving.folder, "0", f"another gateway uses {serving.folder}"),
    ):
        refused = CliRunner().invoke(
            application, ["serve", "--data-dir", str(folder), "--port", number]
        )
        assert refused.exit_code == 1
        (line,) = refused.stderr.splitlines()
        assert line.startswith(reason)


def test_a_stop_finishes_the_upload_under_way_and_a_start_has_it(tmp_path: Path) -> None:
    first = Serving(tmp_path).start()
    try:
        url = urlsplit(
            first.s3().generate_presigned_url(
                "put_object", Params={"Bucket": "my-workspace", "Key": "slow.bin"}
            )
        )
        connection = http.client.HTTPConnection(url.netloc, timeout=30)
        connection.putrequest("PUT", f"{url.path}?{url.query}")
        connection.putheader("Content-Length", "200000")
        connection.endheaders()
        connection.send(b"a" * 100_000)
        time.sleep(0.5)
        first.process.terminate()
        time.sleep(0.5)
        connection.send(b"b" * 100_000)
        assert connection.getresponse().status == 200
        assert first.process.wait(20) == 0
    finally:
        first.kill()

    second = Serving(tmp_path).start()
    try:
        assert second.key == first.key
        stored = second.s3().get_object(Bucket="my-workspace", Key="slow.bin")["Body"].read()
        assert stored == b"a" * 100_000 + b"b" * 100_000
    finally:
        second.kill()


def test_workers_are_replaced_and_none_outlives_the_parent(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    key = {"access_key_id": "admin", "secret_access_key": "admins-secret", "grants": {"*": "admin"}}
    document = {
        "secret": "0123456789abcdef0123456789abcdef",
        "listen": {"workers": 2},
        "workspaces": {"my-workspace": {"bucket": "my-bucket"}},
        "keys": [key],
    }
    config.write_text(yaml.safe_dump(document))
    serving = Serving(tmp_path / "data", ("--config", str(config), "--sample")).start()

    def workers() -> list[psutil.Process]:
        found = []
        for process in serving.descendants():
            with contextlib.suppress(psutil.NoSuchProcess):
                if "worker" in process.cmdline():
                    found.append(process)
        return found

    try:
        assert "admins-secret" not in serving.said
        assert wait_until(lambda: len(workers()) == 2)
        before = {process.pid for process in workers()}
        victim = workers()[0]
        victim.send_signal(signal.SIGKILL)
        assert wait_until(lambda: len(workers()) == 2 and {p.pid for p in workers()} != before)
        assert wait_until(lambda: serving.get(GALLERY).status_code == 200)
        everything = serving.descendants()
    finally:
        serving.kill()
    assert wait_until(lambda: not any(process.is_running() for process in everything))
