"""What a bot's process tells about its own life: a small file, since a broker may be down."""

from pathlib import Path
from typing import Any, Literal

import orjson
from aviary.config.clock import Clock
from aviary.config.files import replace_file

REPORT_FILE = Path("data/launch.json")
"""Under the bot's folder; replaced as a whole at each change."""

type Stage = Literal["booting", "settling", "starting", "quoting", "stopping", "stopped", "failed"]
"""Settling: orders of a dead predecessor are being cancelled, nothing is quoted yet."""


class LaunchReport:
    """Writes the stage a process is in, why, and when it came there."""

    def __init__(self, path: Path, pid: int, clock: Clock) -> None:
        self._path = path
        self._pid = pid
        self._clock = clock
        self._began = clock.monotonic()
        last = self._last()
        self._failures = int(last.get("failures", 0))
        self._exposure = str(last.get("exposure", ""))
        self._told: dict[str, Any] = {}
        self.stage: Stage = "booting"
        self.reached: dict[str, float] = {}
        """Seconds after the launcher's first line at which each stage was first reached."""

    def fail(self, detail: str, *, lasting: bool, **more: Any) -> None:
        """Note that the bot could not start. `lasting`: for a reason that time does not heal."""
        self._failures = self._failures + 1 if lasting else 0
        self.write("failed", detail, lasting=lasting, **more)

    def expose(self, text: str) -> None:
        """Note what it traded without counting on it: that stays true in its next lives, until an orderly stop."""
        self._exposure = text
        self._write()

    def write(self, stage: Stage, detail: str = "", **more: Any) -> None:
        """Note the stage. `detail` says in words what is waited for or what went wrong."""
        self.stage = stage
        if stage == "quoting":
            self._failures = 0
        if more.get("positions") is not None:
            # Whatever was held is counted there.
            self._exposure = ""
        self.reached.setdefault(stage, round(self._clock.monotonic() - self._began, 3))
        self._told = {"stage": stage, "detail": detail, **more}
        self._write()

    def _write(self) -> None:
        replace_file(
            self._path,
            orjson.dumps(
                {
                    "pid": self._pid,
                    "at": self._clock.now(),
                    "reached": self.reached,
                    "failures": self._failures,
                    "exposure": self._exposure,
                    **self._told,
                }
            ),
            durable=False,
        )

    def _last(self) -> dict[str, Any]:
        """What the last life reported in the end."""
        try:
            last = orjson.loads(self._path.read_bytes())
        except (FileNotFoundError, orjson.JSONDecodeError):
            return {}
        return last if isinstance(last, dict) else {}
