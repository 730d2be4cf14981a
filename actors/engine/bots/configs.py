"""Configurations that change while the bot runs: taken over within a second, and told once they are in effect.

Hummingbot reads the files of all controllers again every ten seconds, at a cost for each, and a file that it can't
read ends every tick from then on, before anything is traded.
"""

import hashlib
import logging
from pathlib import Path
from typing import Any

import orjson
from aviary.config.files import replace_file
from hummingbot.strategy.strategy_v2_base import StrategyV2Base

log = logging.getLogger("hummingbot.client.aviary")

REPORT_FILE = Path("data/configs.json")
"""By file name of a configuration: the digest of what was read, and the fields that are in effect."""

FOLDER = Path("conf/controllers")


class LiveConfigs:
    """Reads the files of one strategy's controllers when they change."""

    def __init__(self, strategy: Any) -> None:
        self._strategy = strategy
        self._seen: dict[str, tuple[int, int]] = {}

    def take_charge(self) -> None:
        """From now on, instead of hummingbot's own way; strategies with a way of their own keep it."""
        if type(self._strategy).update_controllers_configs is StrategyV2Base.update_controllers_configs:
            self._strategy.update_controllers_configs = self.update

    def update(self) -> None:
        """Called with every tick: take over what has changed."""
        stamps = {name: _stamp(FOLDER / name) for name in self._strategy.config.controllers_config}
        if stamps == self._seen:
            return
        self._seen = stamps
        digests = {name: hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() for name in stamps}
        try:
            configs = self._strategy.config.load_controller_configs()
        except Exception:
            # The controllers go on by what they have; this is not tried again before something changes.
            log.exception("The changed configuration is not taken over.")
            return
        told = {}
        for name, config in zip(self._strategy.config.controllers_config, configs, strict=True):
            controller = self._strategy.controllers.get(config.id)
            if controller is not None:
                controller.update_config(config)
                told[name] = {"digest": digests[name], "in_effect": _in_effect(controller.config, config)}
        replace_file(REPORT_FILE, orjson.dumps(told), durable=False)


def _stamp(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except FileNotFoundError:
        return 0, 0
    return found.st_mtime_ns, found.st_ino


def _in_effect(present: Any, wanted: Any) -> list[str]:
    fields = type(wanted).model_fields
    return [name for name in fields if getattr(present, name, None) == getattr(wanted, name)]
