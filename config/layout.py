"""The files by which the server is found: its folder's layout, and who runs there."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things lie under the home folder."""

    home: Path

    @property
    def database(self) -> Path:
        """The embedded database."""
        return self.home / "aviary.sqlite"

    @property
    def logs(self) -> Path:
        """The server's log and those of the processes it starts."""
        return self.home / "logs"

    @property
    def sandbox(self) -> Path:
        """The simulated exchange's books."""
        return self.home / "sandbox"

    @property
    def broker(self) -> Path:
        """The embedded broker's configuration and state."""
        return self.home / "broker"

    @property
    def run(self) -> Path:
        """Sockets and the record of the running server."""
        return self.home / "run"

    @property
    def wards(self) -> Path:
        """Notes about processes that are to end with the server."""
        return self.run / "wards"

    @property
    def server_record(self) -> Path:
        """Where the running server notes its process and address."""
        return self.run / "server.json"

    @property
    def server_lock(self) -> Path:
        """What the running server holds locked, and open."""
        return self.run / "server.lock"


def url_of(host: str, port: int) -> str:
    """The address of a server that listens there."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
