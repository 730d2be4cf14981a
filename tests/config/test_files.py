"""Files that are replaced as a whole."""

import errno
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from aviary.config.files import keep_private, replace_file


def private(path: Path) -> bool:
    return stat.S_IMODE(path.stat().st_mode) == stat.S_IRUSR | stat.S_IWUSR


@pytest.mark.parametrize("durable", [True, False])
@pytest.mark.parametrize("content", ["é", b"\xc3\xa9"])
def test_a_file_gets_its_content_and_is_its_owner_s_alone(
    tmp_path: Path, content: str | bytes, *, durable: bool
) -> None:
    path = tmp_path / "new" / "folder" / "a"

    replace_file(path, content, durable=durable)

    assert path.read_bytes() == b"\xc3\xa9"
    assert private(path)
    assert [one.name for one in path.parent.iterdir()] == ["a"]


def test_what_everybody_could_read_is_private_afterwards(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_text("old")
    path.chmod(0o644)

    replace_file(path, "new")

    assert path.read_text() == "new"
    assert private(path)


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_what_can_not_be_written_leaves_the_old_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "a"
    path.write_text("old")
    monkeypatch.setattr(*((os, "fsync") if failing == "fsync" else (Path, "replace")), fail)

    with pytest.raises(OSError, match="No space left"):
        replace_file(path, "new")

    assert path.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["a"]


def test_a_file_is_replaced_by_many_at_once(tmp_path: Path) -> None:
    path = tmp_path / "a"
    texts = [str(n) * 10_000 for n in range(4)]

    with ThreadPoolExecutor(len(texts)) as writers:
        list(writers.map(lambda text: replace_file(path, text, durable=False), texts))

    assert path.read_text() in texts
    assert [one.name for one in tmp_path.iterdir()] == ["a"]


def test_a_folder_and_what_is_made_from_then_on_is_private(tmp_path: Path) -> None:
    folder = tmp_path / "home"
    folder.mkdir(mode=0o755)
    before = os.umask(0o022)

    try:
        keep_private(folder)
        (folder / "file").touch()
        (folder / "below").mkdir()
    finally:
        os.umask(before)

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.iterdir())}
    assert modes == {"home": 0o700, "file": 0o600, "below": 0o700}
