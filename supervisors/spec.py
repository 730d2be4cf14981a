"""What a supervisor knows of its children and of itself."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from aviary.actors.core.actor import Actor
from aviary.actors.core.cell import CellSettings
from aviary.supervisors.backoff import Backoff

type Restart = Literal["permanent", "transient", "temporary"]
type Strategy = Literal["one_for_one", "one_for_all", "rest_for_one"]
type AutoShutdown = Literal["never", "any_significant", "all_significant"]

WORKER_SHUTDOWN = 5.0
"""Seconds a worker has to stop before it is killed; OTP's default."""

START_TIMEOUT = 30.0
"""Seconds a worker has to prepare."""


class _Default(float):
    """What stands in a spec for a limit that was left out."""


_DEFAULT = _Default(-1)

_NAME = re.compile(r"[A-Za-z0-9_.:@+-]{1,100}\Z")


class InvalidSpec(ValueError):
    """A spec that makes no sense; `field` names the part that is wrong."""

    def __init__(self, field_name: str, problem: str) -> None:
        super().__init__(f"{field_name}: {problem}")
        self.field = field_name


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """A child: its name, how it is made, and what is done when it ends.

    `restart` defaults to permanent; `shutdown` to 5 seconds for a worker and to no limit for a
    supervisor (0 kills at once, `None` waits for ever); `significant` is for the supervisor's
    `auto_shutdown`.
    """

    name: str
    factory: Callable[[], Actor]
    restart: Restart = "permanent"
    kind: Literal["worker", "supervisor"] = "worker"
    shutdown: float | None = _DEFAULT
    start_timeout: float | None = _DEFAULT
    significant: bool = False
    backoff: Backoff = field(default_factory=Backoff)
    settings: CellSettings = field(default_factory=CellSettings)

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not _NAME.match(self.name) or self.name in {".", ".."}:
            raise InvalidSpec("name", f"not a name: {self.name!r}")
        if not callable(self.factory):
            raise InvalidSpec("factory", "not callable")
        if self.restart not in {"permanent", "transient", "temporary"}:
            raise InvalidSpec("restart", f"unknown restart type {self.restart!r}")
        if self.kind not in {"worker", "supervisor"}:
            raise InvalidSpec("kind", f"unknown kind {self.kind!r}")
        for name, default in (("shutdown", WORKER_SHUTDOWN), ("start_timeout", START_TIMEOUT)):
            value = getattr(self, name)
            if isinstance(value, _Default):
                object.__setattr__(self, name, default if self.kind == "worker" else None)
            elif value is not None and not (_is_number(value) and value >= 0):
                raise InvalidSpec(name, f"not a number of seconds: {value!r}")
        if not isinstance(self.significant, bool):
            raise InvalidSpec("significant", f"not a truth value: {self.significant!r}")
        if self.significant and self.restart == "permanent":
            raise InvalidSpec("significant", "a permanent child can't be significant")
        if not isinstance(self.backoff, Backoff):
            raise InvalidSpec("backoff", "not a Backoff")
        if not isinstance(self.settings, CellSettings):
            raise InvalidSpec("settings", "not CellSettings")


@dataclass(frozen=True, slots=True)
class SupervisorSpec:
    """A supervisor: its strategy, its patience and its children, in their order of start.

    More than `intensity` restarts within `period` seconds are too many: it gives up. `intensity`
    defaults to 3 and `period` to 5 seconds; `intensity=None` never gives up, for children whose own
    backoff is patience enough. A `dynamic` supervisor is for many alike children: it keeps no spec of
    one that is gone and stops them all at the same time. With `park`, a child that fails too often is
    set aside with an alarm instead: the root's way.
    """

    strategy: Strategy = "one_for_one"
    intensity: int | None = 3
    period: float = 5.0
    auto_shutdown: AutoShutdown = "never"
    dynamic: bool = False
    park: bool = False
    children: tuple[ChildSpec, ...] = ()

    def __post_init__(self) -> None:
        if self.strategy not in {"one_for_one", "one_for_all", "rest_for_one"}:
            raise InvalidSpec("strategy", f"unknown strategy {self.strategy!r}")
        if self.intensity is not None and (
            isinstance(self.intensity, bool) or not isinstance(self.intensity, int) or self.intensity < 0
        ):
            raise InvalidSpec("intensity", f"not a count: {self.intensity!r}")
        if not _is_number(self.period) or self.period <= 0:
            raise InvalidSpec("period", f"not a number of seconds: {self.period!r}")
        if self.auto_shutdown not in {"never", "any_significant", "all_significant"}:
            raise InvalidSpec("auto_shutdown", f"unknown: {self.auto_shutdown!r}")
        if (self.dynamic or self.park) and self.strategy != "one_for_one":
            raise InvalidSpec("strategy", "a dynamic or parking supervisor is one_for_one")
        self.check_children()

    def check_children(self) -> None:
        """Raise `InvalidSpec` for what is wrong between the supervisor and its children."""
        seen: set[str] = set()
        for child in self.children:
            if not isinstance(child, ChildSpec):
                raise InvalidSpec("children", f"not a child spec: {child!r}")
            if child.name in seen:
                raise InvalidSpec("children", f"two children are called {child.name!r}")
            if child.significant and self.auto_shutdown == "never":
                raise InvalidSpec("significant", f"{child.name!r}, but auto_shutdown is never")
            seen.add(child.name)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
