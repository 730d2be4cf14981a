"""What every test shares: in continuous integration a skipped test is a failure, unless explained here."""

import os

import pytest

SKIPS_ALLOWED: dict[str, str] = {}
"""Node id prefix → why it may be skipped in continuous integration."""


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "whole: starts real processes; slower than a second")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> object:
    outcome = yield
    report = outcome.get_result()
    if report.skipped and os.environ.get("CI") and not any(item.nodeid.startswith(p) for p in SKIPS_ALLOWED):
        report.outcome = "failed"
        report.longrepr = f"skipped in continuous integration: {report.longrepr}"
    return None
