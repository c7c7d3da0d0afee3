"""Where data lies on each platform."""

from __future__ import annotations

from pathlib import Path

import pytest

from asl_env.corpora.places import HOME_VARIABLE, cache_home, data_home


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in (HOME_VARIABLE, "XDG_DATA_HOME", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.setattr("sys.platform", "linux")


def test_the_own_variable_wins_over_everything(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/elsewhere")
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "own"))
    assert data_home() == tmp_path / "own"
    assert cache_home() == tmp_path / "own" / "cache"


def test_linux_follows_the_xdg_specification(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert data_home() == tmp_path / ".local/share/asl-env"
    assert cache_home() == tmp_path / ".cache/asl-env"
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")
    assert data_home() == Path("/data/asl-env")
    assert cache_home() == tmp_path / ".cache/asl-env"


def test_other_platforms_have_their_own_places(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    assert data_home() == tmp_path / "Library/Application Support/asl-env"
    monkeypatch.setattr("sys.platform", "win32")
    assert data_home() == tmp_path / "AppData/Local/asl-env"
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    assert cache_home() == tmp_path / "local/asl-env/cache"
