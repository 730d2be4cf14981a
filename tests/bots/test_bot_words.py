"""The pure parts: what is read from the wire, and which orders are a bot's own."""

from aviary.actors.mqtt_link import parse


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
