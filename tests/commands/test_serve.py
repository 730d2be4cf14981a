from pathlib import Path

import pytest
from aviary.commands.serve import AlreadyRunning, login, only_server, refuse_exposure, refuse_unknown_database
from aviary.config.layout import Layout
from aviary.config.settings import Settings, SettingsError


@pytest.mark.parametrize("password", ["", "admin", "a", "password"])
def test_a_weak_password_does_not_listen_to_strangers(password: str) -> None:
    with pytest.raises(SettingsError, match="PASSWORD"):
        refuse_exposure(Settings.model_validate({"host": "0.0.0.0", "password": password}))


def test_a_weak_password_is_good_enough_for_this_machine() -> None:
    assert refuse_exposure(Settings.model_validate({"host": "127.0.0.1", "password": "admin"})) is None


def test_two_servers_do_not_share_a_folder(tmp_path: Path) -> None:
    layout = Layout(tmp_path)

    with only_server(layout), pytest.raises(AlreadyRunning), only_server(layout):
        pass

    with only_server(layout):
        assert layout.server_lock.exists()


def test_a_generated_password_is_told() -> None:
    told = login(Settings.model_validate({"username": "me"}), Path(".env"), {"PASSWORD": "hunter2"})

    assert told is not None
    assert "as me with password hunter2" in told


def test_a_password_of_the_user_s_own_is_not_told() -> None:
    settings = Settings.model_validate({"username": "me", "password": "hunter2"})

    told = login(settings, Path(".env"), {"CONFIG_PASSWORD": "generated"})

    assert told is not None
    assert "hunter2" not in told
    assert "generated" not in told.replace("Generated", "")
    assert login(settings, Path(".env"), {}) is None


def test_a_folder_that_can_t_be_written_to_is_told_by_its_setting(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(SettingsError, match="AVIARY_HOME"), only_server(Layout(tmp_path / "file" / "data")):
        pass


@pytest.mark.parametrize("url", ["mysql://u:hidden@h/d", "postgresql://u:hidden@h", "sqlite://", "nonsense"])
def test_a_database_that_nobody_knows_is_refused_at_once_without_its_password(url: str) -> None:
    with pytest.raises(SettingsError, match="DATABASE_URL") as caught:
        refuse_unknown_database(Settings.model_validate({"database_url": url}))

    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize("url", [None, "postgresql+asyncpg://u:p@h/d", "sqlite:////tmp/a.sqlite"])
def test_a_database_that_can_be_meant_is_not_refused(url: str | None) -> None:
    assert refuse_unknown_database(Settings.model_validate({"database_url": url})) is None
