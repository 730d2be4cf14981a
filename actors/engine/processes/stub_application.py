"""What keeps hummingbot from growing a second application inside an engine host.

A logger call that carries a warning for the user builds a whole application if there is none: seconds of
stall, ninety megabytes and a task that looks for a Gateway for ever. Hosts put a listener in its place.
"""

from typing import Any

from hummingbot.client.hummingbot_application import HummingbotApplication


class _NobodyWatching:
    """Stands where the terminal application would: takes notices, which are in the log already."""

    def add_application_warning(self, _: Any) -> None:
        """Called by hummingbot's loggers."""

    def notify(self, _: str) -> None:
        """Called by hummingbot's loggers."""


def install_stub_application() -> None:
    """Call once, before any connector is built. Never in a bot, which needs the real application."""
    HummingbotApplication._main_app = _NobodyWatching()  # noqa: SLF001 - the only way to reach it
