"""The command that looks whether all is as a gateway needs it; it may run meanwhile, or not."""

import json
import logging
import sys
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from gateway import startup
from gateway.assembly.diagnosis import Diagnosis
from gateway.commands.printing import printable
from gateway.commands.terminal import REFUSED, ConfigFile, DataDir, run
from gateway.document import ConfigError
from gateway.services.diagnosis.verdict import Level, Verdict, failure, ok
from gateway.settings import Overrides

COLOURS = {Level.OK: "green", Level.WARNING: "yellow", Level.FAILURE: "red"}
WIDTH = max(map(len, Level))


def diagnose(
    config: ConfigFile = None,
    data_dir: DataDir = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list.")] = False,
) -> None:
    """Look at configuration, backend, database and host, and say what is to be done."""

    async def work() -> Counter[Level]:
        # What is wrong is told once, by its line.
        logging.getLogger("gateway").setLevel(logging.CRITICAL)
        told: Counter[Level] = Counter()
        documents = []
        async for verdict in _verdicts(config, data_dir):
            told[verdict.level] += 1
            documents.append(asdict(verdict))
            if not as_json:
                _print(verdict)
        if as_json:
            typer.echo(json.dumps(documents, indent=2, ensure_ascii=False))
        return told

    told = run(work)
    counts = ", ".join(f"{told[level]} {level}" for level in Level)
    typer.echo(f"{told.total()} checks: {counts}", err=True)
    if told[Level.FAILURE]:
        raise SystemExit(REFUSED)


async def _verdicts(file: Path | None, data_dir: Path | None) -> AsyncIterator[Verdict]:
    try:
        config = startup.assignment(file, Overrides(data_dir=data_dir)).config()
    except ConfigError as error:
        for problem in error.problems:
            remedy = "mend it: config.example.yaml has every key"
            yield failure("configuration", problem, remedy)
        return
    yield ok("configuration", str(file) if file else f"embedded defaults, in {config.data_dir}")
    async for verdict in Diagnosis(config).verdicts(startup.embedded_backend(config)):
        yield verdict


def _print(verdict: Verdict) -> None:
    line = f" {verdict.check}: {verdict.found}"
    if verdict.remedy:
        line += f"; {verdict.remedy}"
    typer.secho(f"{verdict.level:<{WIDTH}}", fg=COLOURS[verdict.level], nl=False)
    typer.echo(printable(line))
    sys.stdout.flush()
