"""The pure parts: what is read from the wire, and which orders are a bot's own."""

from aviary.actors.bots.logs import BotLogs
from aviary.actors.messaging.link import parse
from aviary.http.json import dumps


def test_a_bare_nan_is_read_as_null() -> None:
    assert parse(b'{"price": NaN, "amount": Infinity, "text": "NaN"}') == {
        "price": None,
        "amount": None,
        "text": "NaN",
    }


def test_what_is_no_json_object_is_passed_over() -> None:
    assert parse(b"") is None
    assert parse(b"[1]") is None
    assert parse(b"\xff\xfe") is None
    assert parse(b"[" * 100_000) is None
    assert parse(b'{"a":' * 60 + b"1" + b"}" * 60) is None


def test_what_is_read_can_be_written_again() -> None:
    odd = b'{"price": NaN, "many": 1180591620717411303424, "deep": ' + b"[" * 40 + b"]" * 40 + b"}"

    assert dumps(parse(odd))


def test_equal_lines_are_counted_and_odd_ones_do_no_harm() -> None:
    logs = BotLogs(3)

    for entry in (
        *[{"logger_name": "a", "msg": "trace", "level_no": 40}] * 5,
        {"level_no": "x", "count": "y"},
        {},
    ):
        logs.keep(entry)
    for number in range(5):
        logs.keep({"logger_name": "b", "msg": str(number), "level_no": 50})

    assert [entry["msg"] for entry in logs.errors()] == ["2", "3", "4"]
    logs.keep({"logger_name": "a", "msg": "trace", "level_no": 40})
    logs.keep({"logger_name": "a", "msg": "trace", "level_no": 40})
    assert logs.errors()[-1]["count"] == 2
    assert len(logs.others()) == 1
