"""The server's side of the engine knows nothing of hummingbot."""

import subprocess
import sys


def test_the_server_can_start_engine_processes_without_importing_hummingbot() -> None:
    script = "import sys, aviary.actors.engine.processes.launch; sys.exit('hummingbot' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
