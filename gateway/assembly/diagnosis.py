"""Every check of doctor, one after the other, each within its time."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import replace

from gateway.assembly.cellar import as_backend
from gateway.config import Config
from gateway.services.diagnosis import looking, vetting
from gateway.services.diagnosis.bounding import bounded, reason
from gateway.services.diagnosis.consulting import Consulting
from gateway.services.diagnosis.inspecting import REMEDY, Inspecting
from gateway.services.diagnosis.knocking import Knocking
from gateway.services.diagnosis.verdict import Level, Verdict, failure
from gateway.storage.bucket import Bucket
from gateway.storage.embedded import EmbeddedBackend, EmbeddedFailed

PROBE_SECONDS = 60.0
LOOK = "see that the backend answers, and allow the credentials what the line names"
ASK = "try again; and tell the project, if it stays so"

Check = Callable[[], Awaitable[Sequence[Verdict]]]


class Diagnosis:
    """The checks of one configuration."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._hidden = vetting.hidden(config)
        self._inspecting = Inspecting(config)

    async def verdicts(
        self, embedded: AbstractAsyncContextManager[EmbeddedBackend | None]
    ) -> AsyncIterator[Verdict]:
        """What came of each; `embedded` is opened for those that need the backend."""
        async for verdict in self._verdicts(embedded):
            yield replace(
                verdict, found=self._without(verdict.found), remedy=self._without(verdict.remedy)
            )

    async def _verdicts(
        self, embedded: AbstractAsyncContextManager[EmbeddedBackend | None]
    ) -> AsyncIterator[Verdict]:
        config, knocking = self._config, Knocking(self._config)
        for name, check, remedy in (
            ("secrets", _later(vetting.secrets, config), ASK),
            ("cors", _later(vetting.origins, config), ASK),
            ("extras", lambda: looking.extras(config), ASK),
            ("data_dir", lambda: looking.folder(config), "let this user read and write data_dir"),
            ("journals", lambda: looking.journals(config), "let this user read data_dir"),
            ("port", knocking.port, "choose another listen.host or listen.port"),
            ("public_url", knocking.public_url, "look at its name, and at the proxy"),
            ("database", self._inspecting.look, REMEDY),
            ("keys", self._keys, ASK),
        ):
            for verdict in await bounded(name, check, remedy):
                yield verdict
        async with AsyncExitStack() as stack:
            try:
                running = await stack.enter_async_context(embedded)
            except (EmbeddedFailed, OSError) as error:
                remedy = "mend what it says, or name an S3 service under `backend`"
                yield failure(
                    "backend", f"the embedded one does not start: {reason(error)}", remedy
                )
                return
            async for verdict in self._of_backend(running):
                yield verdict

    async def _keys(self) -> Sequence[Verdict]:
        known = self._inspecting.known
        names = [
            *(each.name for each in self._config.workspaces),
            *(name for name, _ in known.buckets),
        ]
        return vetting.keys(self._config, known.keys, names)

    async def _of_backend(self, embedded: EmbeddedBackend | None) -> AsyncIterator[Verdict]:
        config = self._config
        backend = config.backend or as_backend(embedded)
        async with Bucket(backend) as bucket:
            consulting = Consulting(bucket, backend.endpoint_url, config.system)
            answered = await bounded("backend", consulting.contact, LOOK)
            for verdict in answered:
                yield verdict
            if any(verdict.level is Level.FAILURE for verdict in answered):
                return
            checks: list[tuple[str, Check]] = [
                ("features", consulting.features),
                ("system-area", consulting.system_area),
                *self._workspaces(consulting),
            ]
            for name, check in checks:
                for verdict in await bounded(name, check, LOOK, PROBE_SECONDS):
                    yield verdict

    def _workspaces(self, consulting: Consulting) -> list[tuple[str, Check]]:
        config = self._config
        fresh, defaults = config.backend is None, config.workspace_defaults
        places = [(each.name, each.area.bucket, each.versioning) for each in config.workspaces]
        configured = {name for name, _, _ in places}
        places += [
            (name, bucket, defaults.versioning)
            for name, bucket in self._inspecting.known.buckets
            if name not in configured
        ]

        def check(name: str, bucket: str, *, may_turn_on: bool) -> Check:
            return lambda: consulting.versioning(
                name, bucket, may_turn_on=may_turn_on, made_at_start=fresh and name in configured
            )

        return [
            (f"workspace {name}", check(name, bucket, may_turn_on=may))
            for name, bucket, may in places
        ]

    def _without(self, text: str) -> str:
        for secret in self._hidden:
            text = text.replace(secret, "…")
        return text


def _later(check: Callable[[Config], Sequence[Verdict]], config: Config) -> Check:
    async def run() -> Sequence[Verdict]:
        return check(config)

    return run
