import stat
from pathlib import Path

import pytest
from aviary.config.settings import SettingsError, ensure_secrets, is_private, read_settings


def test_the_first_run_writes_a_private_file_with_generated_passwords(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"

    made = ensure_secrets({}, env_file)

    assert stat.S_IMODE(env_file.stat().st_mode) == 0o600
    settings = read_settings({}, env_file)
    assert settings.password.get_secret_value() == made["PASSWORD"]
    assert len(made["PASSWORD"]) >= 20
    assert settings.config_password.get_secret_value() == made["CONFIG_PASSWORD"]


def test_the_second_run_generates_nothing(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    ensure_secrets({}, env_file)
    before = env_file.read_bytes()

    assert ensure_secrets({}, env_file) == {}
    assert env_file.read_bytes() == before


def test_what_the_file_holds_already_is_kept(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text("# mine\nPASSWORD='a long one'\nGATEWAY_URL=http://gateway:15888")

    made = ensure_secrets({}, env_file)

    assert "PASSWORD" not in made
    settings = read_settings({}, env_file)
    assert settings.password.get_secret_value() == "a long one"
    assert settings.gateway_url == "http://gateway:15888"
    assert env_file.read_text().startswith("# mine\n")


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text("PORT=8001\nUSERNAME=from-file\n")

    settings = read_settings({"PORT": "9001"}, env_file)

    assert (settings.port, settings.username) == (9001, "from-file")


@pytest.mark.parametrize(
    ("name", "value"),
    [("PORT", "70000"), ("PORT", "http"), ("LOG_LEVEL", "LOUD"), ("SANDBOX", "perhaps"), ("BROKER_PORT", "-1")],
)
def test_a_wrong_setting_is_refused_by_its_name(tmp_path: Path, name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        read_settings({name: value}, tmp_path / ".env")


def test_a_line_that_sets_nothing_is_refused_without_showing_it(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text("USERNAME=me\nhunter2\n")

    with pytest.raises(SettingsError, match="line 2") as refused:
        read_settings({}, env_file)

    assert "hunter2" not in str(refused.value)


def test_folders_follow_the_home_unless_said_otherwise(tmp_path: Path) -> None:
    settings = read_settings({"AVIARY_HOME": str(tmp_path / "a")}, tmp_path / ".env")
    elsewhere = read_settings({"AVIARY_HOME": str(tmp_path), "BOTS_PATH": str(tmp_path / "b")}, tmp_path / ".env")

    assert settings.bots == tmp_path / "a" / "bots"
    assert elsewhere.bots == tmp_path / "b"


def test_passwords_do_not_show_in_a_printed_settings_object(tmp_path: Path) -> None:
    settings = read_settings(
        {"PASSWORD": "hunter2", "DATABASE_URL": "postgresql://u:hunter2@h/d"}, tmp_path / ".env"
    )

    assert "hunter2" not in repr(settings)


def test_passwords_that_can_t_be_kept_are_not_generated(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(SettingsError, match="PASSWORD, CONFIG_PASSWORD"):
        ensure_secrets({"USERNAME": "me"}, tmp_path / "file" / ".env")


def test_a_file_that_can_t_be_read_is_refused_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "binary").write_bytes(b"USERNAME=\xff")

    for name in ("folder", "binary"):
        with pytest.raises(SettingsError, match=name):
            read_settings({}, tmp_path / name)


def test_a_file_that_others_can_read_is_not_private(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    assert is_private(env_file)
    ensure_secrets({}, env_file)
    assert is_private(env_file)

    env_file.chmod(0o640)

    assert not is_private(env_file)
