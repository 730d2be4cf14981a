"""The exchange's noes, with the codes and texts that Binance documents."""


class Refused(Exception):
    """A request was refused. `code` and `message` go to the client, `status` is the HTTP status."""

    def __init__(self, code: int, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


def bad_symbol() -> Refused:
    """The symbol is not traded here."""
    return Refused(-1121, "Invalid symbol.")


def filter_failure(name: str) -> Refused:
    """A spot order breaks one of its instrument's filters."""
    return Refused(-1013, f"Filter failure: {name}")


def bad_key(status: int = 401) -> Refused:
    """The API key is unknown or malformed."""
    return Refused(-2015, "Invalid API-key, IP, or permissions for action.", status)


def bad_signature() -> Refused:
    """The signature does not belong to the request and the key's secret."""
    return Refused(-1022, "Signature for this request is not valid.")


def missing(parameter: str) -> Refused:
    """A mandatory parameter was not sent, or is empty."""
    return Refused(-1102, f"Mandatory parameter '{parameter}' was not sent, was empty/null, or malformed.")


def illegal(parameter: str, legal: str) -> Refused:
    """A parameter has characters outside its legal range."""
    return Refused(-1100, f"Illegal characters found in parameter '{parameter}'; legal range is '{legal}'.")


def unknown_order() -> Refused:
    """An order that is to be cancelled is not open, or never was."""
    return Refused(-2011, "Unknown order sent.")


def no_such_order() -> Refused:
    """An order that is asked about does not exist."""
    return Refused(-2013, "Order does not exist.")
