import errno
import os
from pathlib import Path

import pytest
from aviary.actors.core.refusal import Unavailable
from aviary.actors.strategies.files import write


def test_a_full_disk_is_refused_and_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "quoter.yml"
    write(file, "old")

    def no_room(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_room)

    with pytest.raises(Unavailable, match="the disk is full"):
        write(file, "new")

    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("quoter.yml", "old")]
