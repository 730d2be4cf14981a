import logging

import pytest
from aviary.config.logs import Redacted


@pytest.mark.parametrize(
    "line",
    [
        "GET /ws?token=hunter2&x=1",
        "password: hunter2",
        "{'api_key': 'hunter2', 'other': 1}",
        '{"api_secret":"hunter2"}',
        "Authorization: Basic hunter2",
        "signature=hunter2",
    ],
)
def test_secrets_are_blacked_out(line: str) -> None:
    record = logging.LogRecord("x", logging.INFO, "x.py", 1, line, None, None)

    shown = Redacted("%(message)s").format(record)

    assert "hunter2" not in shown
    assert "***" in shown


def test_other_text_stays_as_it_is() -> None:
    record = logging.LogRecord("x", logging.INFO, "x.py", 1, "order %s filled", ("abc",), None)

    assert Redacted("%(message)s").format(record) == "order abc filled"
