"""From a command line to a gateway that serves: configuration, socket, backend, processes."""

import asyncio
import logging
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from gateway import defaults, greeting, prefork, sample, settings
from gateway.assembly.application import build
from gateway.config import Config
from gateway.document import ConfigError
from gateway.identity import AccessKey, Right
from gateway.prefork import Assignment, WorkerFailed
from gateway.processes import allow_open_files
from gateway.settings import Overrides
from gateway.storage import embedded
from gateway.storage.credentials import CredentialsMissing
from gateway.storage.embedded import EmbeddedBackend, EmbeddedFailed, EmbeddedServer
from gateway.storage.probe import BackendUnfit
from gateway.storage.upstream import BackendError
from gateway.web import server
from gateway.web.server import AddressTaken

DATA_DIR = Path("artifact-gateway-data")
REFUSALS = (
    AddressTaken,
    BackendError,
    BackendUnfit,
    CredentialsMissing,
    EmbeddedFailed,
    WorkerFailed,
)
"""What a start ends with when it can't be: each says why and what to do."""

_log = logging.getLogger(__name__)


def assignment(file: Path | None, overrides: Overrides) -> Assignment:
    """What to serve: the configuration in `file`, or the defaults; ConfigError."""
    if file is not None:
        return Assignment(settings.read(file), overrides)
    data_dir = (overrides.data_dir or DATA_DIR).absolute()
    return Assignment(defaults.document(data_dir), replace(overrides, data_dir=data_dir))


def make_data_dir(config: Config) -> None:
    """Makes this host's own folder, nobody else's, unless it is there; ConfigError."""
    try:
        config.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError([f"data_dir: {error}"]) from None


@asynccontextmanager
async def embedded_backend(config: Config) -> AsyncIterator[EmbeddedBackend | None]:
    """The embedded backend: that of a gateway which runs on this folder, or else one started.

    None where the configuration names a backend. EmbeddedFailed.
    """
    if config.backend is not None:
        yield None
    elif (shared := embedded.running(config.data_dir)) is not None:
        yield shared
    else:
        async with EmbeddedServer(config.data_dir) as started:
            yield started


@dataclass(frozen=True, slots=True)
class Startup:
    """A gateway about to start.

    `introduce`: the start shows the first key, secret included, with first steps; that is for
    keys that the gateway made itself. `with_sample`: the sample gallery is loaded.
    """

    assignment: Assignment
    introduce: bool = False
    with_sample: bool = False

    async def serve(self) -> None:
        """Serves until SIGTERM or SIGINT.

        ConfigError, AddressTaken, EmbeddedFailed, WorkerFailed, and what the application
        refuses to start for.
        """
        config = self.assignment.config()
        allow_open_files()
        make_data_dir(config)
        listener = server.bind(config.listen.host, config.listen.port)
        port = int(listener.getsockname()[1])
        chosen = replace(self.assignment, overrides=replace(self.assignment.overrides, port=port))
        async with AsyncExitStack() as stack:
            stack.enter_context(listener)
            if config.backend is None:
                backend = EmbeddedServer(config.data_dir)
                chosen = replace(chosen, embedded=await stack.enter_async_context(backend))
            await self._serve(chosen, listener)

    async def _serve(self, chosen: Assignment, listener: socket.socket) -> None:
        config, stopping = chosen.config(), stop_event()

        async def ready() -> None:
            if self.with_sample:
                await _load_sample(config)
            self._greet(config)

        workers = config.listen.workers
        if workers > 1:
            await prefork.lead(chosen, listener, workers, stopping, ready)
        else:
            app = build(config, embedded=chosen.embedded)
            await server.serve(app, listener, stopping, ready)

    def _greet(self, config: Config) -> None:
        console, url = Console(), config.base_url
        if not self.introduce:
            greeting.print_ready(console, url, config)
            return
        key, workspace = config.keys[0], config.workspaces[0].name
        page = f"{url}/_health/ready"
        if self.with_sample:
            page = f"{url}/{workspace}/artifact/{sample.PREFIX}"
        greeting.print_first_steps(console, url, key, workspace, page)


def stop_event() -> asyncio.Event:
    """An event that SIGTERM and SIGINT set, from now on."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    return stopping


async def _load_sample(config: Config) -> None:
    for workspace in config.workspaces:
        key = _writer(config, workspace.name)
        if key is None:
            continue
        try:
            await asyncio.to_thread(sample.load, config.base_url, key, workspace.name)
        except sample.NotLoaded as error:
            _log.warning("the sample gallery was not loaded: %s", error)
        return
    _log.warning("the sample gallery was not loaded: no configured key may write")


def _writer(config: Config, workspace: str) -> AccessKey | None:
    return next((key for key in config.keys if key.grants.on(workspace) >= Right.WRITE), None)
