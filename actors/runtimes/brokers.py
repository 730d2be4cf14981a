"""The two brokers that can be run for the user: their configuration and the command that starts them."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from aviary.actors.messages.broker import BrokerInfo
from aviary.config.files import replace_file

MAX_PAYLOAD = 1_048_576
"""Bytes of one message; the answer to `history` is the longest."""

PASSWD_TIMEOUT = 10.0
"""Seconds for hashing one password."""

type BrokerKind = Literal["mosquitto", "iotcore"]


def find_mosquitto() -> str | None:
    """The binary's path; Debian keeps it where only root looks."""
    return shutil.which(
        "mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin"
    )


def choose(wanted: Literal["auto", "mosquitto", "iotcore"]) -> BrokerKind:
    """Mosquitto where it is installed: it is light and keeps retained messages over a restart."""
    if wanted == "auto":
        return "iotcore" if find_mosquitto() is None else "mosquitto"
    return wanted


def configure(folder: Path, info: BrokerInfo) -> Sequence[str]:
    """Write the broker's files into `folder`, for its owner only, and answer the command that starts it."""
    if info.kind == "mosquitto":
        return _configure_mosquitto(folder, info)
    return _configure_iotcore(folder, info)


def _configure_mosquitto(folder: Path, info: BrokerInfo) -> Sequence[str]:
    binary = find_mosquitto()
    if binary is None:
        raise FileNotFoundError("mosquitto is not installed")
    passwords = folder / "passwords"
    replace_file(passwords, f"{info.username}:{info.password.get_secret_value()}\n")
    hasher = shutil.which("mosquitto_passwd", path=f"{Path(binary).parent}:{os.environ.get('PATH', '')}:/usr/bin")
    if hasher is None:
        raise FileNotFoundError("mosquitto_passwd is not installed")
    # Hashed in place: a password on a command line is seen by everybody on the machine.
    subprocess.run([hasher, "-U", str(passwords)], check=True, timeout=PASSWD_TIMEOUT)  # noqa: S603
    passwords.chmod(0o600)
    lines = [
        f"listener {info.port} {info.host}",
        "allow_anonymous false",
        f"password_file {passwords}",
        "persistence true",
        f"persistence_location {folder}/",
        "autosave_interval 5",
        "max_queued_messages 10000",
        f"message_size_limit {MAX_PAYLOAD}",
        "log_dest stderr",
        "log_type error",
        "log_type warning",
        "log_type notice",
        # A login every few seconds shows that it lives: no news.
        "connection_messages false",
    ]
    if os.geteuid() == 0:
        # It would drop its rights and could then not read its own files.
        lines.append("user root")
    config = folder / "mosquitto.conf"
    replace_file(config, "\n".join(lines) + "\n")
    return [binary, "-c", str(config)]


def _configure_iotcore(folder: Path, info: BrokerInfo) -> Sequence[str]:
    config = folder / "iotcore.toml"
    replace_file(
        config,
        f"""id = 0

[router]
id = 0
max_connections = 10010
max_outgoing_packet_count = 200
max_segment_size = 1048576
max_segment_count = 10

[v4.1]
name = "loopback"
listen = "{info.host}:{info.port}"
next_connection_delay_ms = 1

[v4.1.connections]
connection_timeout_ms = 60000
max_payload_size = {MAX_PAYLOAD}
max_inflight_count = 100
dynamic_filters = true
auth = {{ "{info.username}" = "{info.password.get_secret_value()}" }}
""",
    )
    return [sys.executable, "-P", "-m", "aviary.actors.runtimes.iotcore_broker", str(config)]
