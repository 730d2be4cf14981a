"""A server that has come up without trouble has nothing to report but that."""

from whole_server import Server


def test_a_start_is_journalled_whole_and_leaves_no_dead_letters_and_no_alarms(server: Server) -> None:
    def started() -> set[str]:
        entries = server.call("GET", "/supervision/journal?kind=start&limit=200")["data"]
        return {entry["address"] for entry in entries}

    server.until("the last branch's start is journalled", lambda: "aviary" in started())

    assert {"database", "journal", "template", "broker/link", "bots"} <= started()
    assert server.call("GET", "/supervision/dead-letters")["total"] == 0
    assert server.call("GET", "/supervision/journal?kind=crash")["data"] == []
    assert server.call("GET", "/supervision/alarms")["standing"] == []
