"""The wing of `services/maintenance`: what an operator's commands lead to."""

from gateway.assembly.lifecycle import Lifecycle


class Maintenance:
    """The rooms of maintenance, each built when it is first asked for."""

    def __init__(self, lifecycle: Lifecycle) -> None:
        self.lifecycle = lifecycle
        self._cellar = lifecycle.cellar
