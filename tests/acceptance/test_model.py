"""Random lives of artifacts, by two writers and a reader, S3 and RPC mixed, against the model.

After every step, views, listings, versions and pins are the model's. `MODEL_STEPS` in the
environment makes it longer: `make model`.
"""

import os
from collections.abc import Mapping
from typing import ClassVar

import pytest
import yaml
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from tests.acceptance.harness import Document, Gateway
from tests.acceptance.model import MANIFEST, STAGED, Answer, Life
from tests.acceptance.views import Artifact, outcome, refusal

SUITE_STEPS = 200
PAST_EVERY = 5
STEPS_A_LIFE = 50  # at most; most lives are a little shorter
FIELDS: Mapping[str, Document] = {"type": "dataset", "name": "by RPC"}
# As the gateway writes them; the first look makes sure.
WRITTEN = b"type: dataset\nname: by RPC\n"

names = st.sampled_from(["one", "two"])
writers = st.sampled_from(["write", "admin"])
paths = st.sampled_from(["a.csv", "b/c.csv", "d"])
bodies = st.sampled_from([b"", b"x", b"yy"])
manifests = st.sampled_from([b"type: dataset\n", b"{type: dataset, name: N}", WRITTEN])
numbers = st.integers(1, 6)
flags = st.booleans()


class Lives(RuleBasedStateMachine):
    """Two artifacts side by side, each with its model."""

    gateway: ClassVar[Gateway]
    steps: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self.folder = self.gateway.new_prefix(public=True)
        self.lives = {name: Life() for name in ("one", "two")}
        self.bytes: dict[str, bytes] = {}
        self.last = "one"

    def _meet(self, name: str) -> tuple[Artifact, Life]:
        type(self).steps += 1
        self.last = name
        return Artifact(self.gateway, f"{self.folder}/{name}"), self.lives[name]

    @rule(name=names, path=paths, body=bodies, who=writers)
    def put_file(self, name: str, path: str, body: bytes, who: str) -> None:
        artifact, life = self._meet(name)
        assert outcome(lambda: artifact.put(path, body, who)) == life.put(path, body)

    @rule(name=names, path=paths, body=bodies)
    def complete_file(self, name: str, path: str, body: bytes) -> None:
        artifact, life = self._meet(name)
        # Its ETag is another than that of a PUT: so that equal bytes are the same file again.
        data = b"in parts: " + body
        assert outcome(lambda: artifact.multipart(path, data)) == life.put(path, data)

    @rule(name=names, source=paths, path=paths, who=writers)
    def copy_file_of_the_other(self, name: str, source: str, path: str, who: str) -> None:
        other = "two" if name == "one" else "one"
        artifact, life = self._meet(name)
        body = self.lives[other].writer.get(source)
        told = outcome(lambda: artifact.copy(f"{self.folder}/{other}/{source}", path, who))
        assert told == ((404, "NoSuchKey") if body is None else life.put(path, body))

    @rule(name=names, path=paths)
    def delete_file(self, name: str, path: str) -> None:
        artifact, life = self._meet(name)
        assert outcome(lambda: artifact.delete(path)) == life.delete(path)

    @rule(name=names)
    def delete_everything_that_is_seen(self, name: str) -> None:
        artifact, life = self._meet(name)
        seen = list(life.writer)
        if seen:
            artifact.delete_batch(*seen)
        for path in seen:
            self._delete(life, path)

    def _delete(self, life: Life, path: str) -> Answer:
        if path == STAGED:
            return life.delete_staged()
        return life.delete_manifest() if path == MANIFEST else life.delete(path)

    @rule(name=names, manifest=manifests, who=writers)
    def put_staged(self, name: str, manifest: bytes, who: str) -> None:
        artifact, life = self._meet(name)
        told = outcome(lambda: artifact.put(STAGED, manifest, who))
        assert told == life.put_staged(manifest)

    @rule(name=names)
    def delete_staged(self, name: str) -> None:
        artifact, life = self._meet(name)
        assert outcome(lambda: artifact.delete(STAGED)) == life.delete_staged()

    @rule(name=names)
    def delete_manifest(self, name: str) -> None:
        artifact, life = self._meet(name)
        assert outcome(lambda: artifact.delete(MANIFEST)) == life.delete_manifest()

    @rule(name=names, manifest=manifests, who=writers)
    def put_manifest(self, name: str, manifest: bytes, who: str) -> None:
        artifact, life = self._meet(name)
        told = outcome(lambda: artifact.put(MANIFEST, manifest, who))
        assert told == life.put_manifest(manifest, who)

    @rule(name=names, who=writers)
    def rename(self, name: str, who: str) -> None:
        artifact, life = self._meet(name)
        assert outcome(lambda: artifact.rename(who)) == life.rename(who)

    @rule(name=names, who=writers, stage=flags, overwrite=flags)
    def create(self, name: str, who: str, *, stage: bool, overwrite: bool) -> None:
        artifact, life = self._meet(name)
        options = {"stage": stage, "overwrite": overwrite}
        told = refusal(lambda: artifact.rpc("create", who, manifest=FIELDS, **options))
        assert told == life.create(WRITTEN, who, stage=stage, overwrite=overwrite)

    @rule(name=names, given=flags)
    def edit(self, name: str, *, given: bool) -> None:
        artifact, life = self._meet(name)
        told = refusal(lambda: artifact.rpc("edit", manifest=FIELDS if given else None))
        assert told == life.edit(WRITTEN if given else None)

    @rule(name=names, who=writers)
    def commit(self, name: str, who: str) -> None:
        artifact, life = self._meet(name)
        assert refusal(lambda: artifact.rpc("commit", who)) == life.commit(who)

    @rule(name=names, path=paths, body=bodies)
    def put_file_by_url(self, name: str, path: str, body: bytes) -> None:
        artifact, life = self._meet(name)
        told = refusal(lambda: artifact.rpc("put_file", file_path=path))
        assert told == life.announce(path)
        if told == (200, ""):
            assert artifact.upload(path, body) == 200
            life.put(path, body)

    @rule(name=names, path=paths)
    def promise_a_file(self, name: str, path: str) -> None:
        artifact, life = self._meet(name)
        told = refusal(lambda: artifact.rpc("put_file", file_path=path))
        assert told == life.announce(path)

    @rule(name=names, path=paths)
    def remove_file(self, name: str, path: str) -> None:
        artifact, life = self._meet(name)
        told = refusal(lambda: artifact.rpc("remove_file", file_path=path))
        assert told == life.remove_file(path)

    @rule(name=names)
    def discard(self, name: str) -> None:
        artifact, life = self._meet(name)
        assert refusal(lambda: artifact.rpc("discard")) == life.discard()

    @rule(name=names, number=numbers, who=writers)
    def rollback(self, name: str, number: int, who: str) -> None:
        artifact, life = self._meet(name)
        told = refusal(lambda: artifact.rpc("rollback", who, version=number))
        assert told == life.rollback(number, who)

    @rule(name=names)
    def delete(self, name: str) -> None:
        artifact, life = self._meet(name)
        assert refusal(lambda: artifact.rpc("delete")) == life.delete_artifact()

    @invariant()
    def everybody_sees_what_the_model_says(self) -> None:
        for key in ("write", "read"):
            expected = {
                f"{name}/{path}": body
                for name, life in self.lives.items()
                for path, body in (life.writer if key == "write" else life.reader).items()
            }
            assert self._seen_by(key) == expected, key
        edited = self.gateway.rpc("list", prefix=self.folder, stage=True)
        assert edited == [name for name, life in self.lives.items() if life.open]

    @invariant()
    def versions_are_the_models(self) -> None:
        life = self.lives[self.last]
        artifact = Artifact(self.gateway, f"{self.folder}/{self.last}")
        if not life.version:
            assert refusal(lambda: artifact.rpc("versions", "read")) == (404, "NoSuchArtifact")
            return
        numbers = [each["version"] for each in artifact.rpc("versions", "read")]
        assert numbers == sorted(life.history, reverse=True)
        if self.steps % PAST_EVERY == 0:
            self._look_back(artifact, life, numbers)

    def _look_back(self, artifact: Artifact, life: Life, numbers: list[int]) -> None:
        """One of the versions is what it was."""
        number = numbers[self.steps // PAST_EVERY % len(numbers)]
        pins = {path: len(body) for path, body in life.history[number].items() if path != MANIFEST}
        assert artifact.files(version=number) == pins
        shown = artifact.rpc("read", "read", version=number, silent=True)
        fields = yaml.safe_load(life.history[number][MANIFEST])
        assert {name: shown.get(name) for name in fields} == fields
        for path, body in life.history[number].items():
            target = f"/{artifact.bucket}/artifact/{artifact.key(path)}?version={number}&silent=1"
            if path != MANIFEST:
                assert self.gateway.anonymous("GET", target).content == body
                break

    def _seen_by(self, key: str) -> dict[str, bytes]:
        """What is listed below the folder, and got; equal ETags are got once."""
        client, bucket = self.gateway.s3(key), self.gateway.workspace
        listed = client.list_objects_v2(Bucket=bucket, Prefix=f"{self.folder}/")
        seen: dict[str, bytes] = {}
        for each in listed.get("Contents", []):
            known = self.bytes.get(each["ETag"])
            if known is None or (self.steps + len(seen)) % 7 == 0:
                try:
                    got = client.get_object(Bucket=bucket, Key=each["Key"])
                except ClientError as error:
                    raise AssertionError(f"{each['Key']} is listed to {key}") from error
                assert got["ETag"] == each["ETag"]
                known = self.bytes[each["ETag"]] = got["Body"].read()
            assert each["Size"] == len(known)
            seen[each["Key"].removeprefix(f"{self.folder}/")] = known
        return seen


@pytest.mark.timeout(400)
def test_random_lives_are_as_the_model_says(gateway: Gateway) -> None:
    steps = int(os.environ.get("MODEL_STEPS", SUITE_STEPS))
    Lives.gateway, Lives.steps = gateway, 0
    long = "MODEL_STEPS" in os.environ
    run_state_machine_as_test(
        Lives,
        settings=settings(
            max_examples=steps // 40 + 5,
            stateful_step_count=STEPS_A_LIFE,
            deadline=None,
            derandomize=not long,
            database=None,
            print_blob=long,
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert Lives.steps >= steps
