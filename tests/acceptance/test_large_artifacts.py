"""Commits of many files cost little more than listing them; the long form is `bench.commits`."""

import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from tests.acceptance.harness import Gateway

FILES = 500
ROUNDS = 3
# Three times is what is promised of ten thousand files, where nothing else is going on.
TIMES = 6


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def test_a_commit_takes_a_few_times_as_long_as_listing(gateway: Gateway, prefix: str) -> None:
    client, direct = gateway.s3(), gateway.backend.client()
    bucket = gateway.workspace

    def put(number: int) -> None:
        client.put_object(Bucket=bucket, Key=f"{prefix}/{number:04d}.csv", Body=b"%d" % number)

    def list_directly() -> None:
        pages = direct.get_paginator("list_objects_v2").paginate(
            Bucket=gateway.backend.bucket,
            Prefix=f"{prefix}/",
            PaginationConfig={"PageSize": FILES // 10},  # as many pages as ten thousand files have
        )
        found = sum(len(page["Contents"]) for page in pages)
        assert found >= FILES  # and its manifests

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(put, range(FILES)))
    listings, commits = [], []
    for number in range(ROUNDS):
        put(number + FILES - ROUNDS)
        manifest = b"type: dataset\nround: %d\n" % number
        client.put_object(Bucket=bucket, Key=f"{prefix}/_manifest.yaml", Body=manifest)
        listings.append(seconds(list_directly))
        commits.append(seconds(lambda: gateway.rpc("commit", prefix=prefix)))
        listings.append(seconds(list_directly))
    assert len(gateway.rpc("read", prefix=prefix, silent=True)["files"]) == FILES
    assert statistics.median(commits) <= TIMES * statistics.median(listings)
