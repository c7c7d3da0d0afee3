"""``asl index`` from the outside."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from asl_env.agents.cli.index import app
from asl_env.errors import BadIndexError
from asl_env.retrieval.encoders import make_encoder


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    path = tmp_path / "corpus.jsonl"
    rows = [
        ("Warsaw", "Warsaw lies on the Vistula."),
        ("Gold", "Gold is an element [b]."),
        ("", "x"),
    ]
    path.write_text(
        "\n".join(
            json.dumps({"id": str(n), "title": title, "text": text})
            for n, (title, text) in enumerate(rows)
        )
        + "\n{broken\n"
    )
    return path


@pytest.fixture
def index(tmp_path: Path, corpus: Path) -> Path:
    run("build", corpus, tmp_path / "index")
    return tmp_path / "index"


def run(*words: object) -> str:
    result = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def answer(*words: object) -> dict[str, Any]:
    return json.loads(run(*words, "--json"))


def test_build_says_what_it_made(tmp_path: Path, corpus: Path) -> None:
    said = run("build", corpus, tmp_path / "a", "--analyser", "words")
    assert "bm25, 3 passages" in said.replace("\n", " ")
    facts = answer("build", corpus, tmp_path / "b", "--kind", "hybrid")
    assert (facts["kind"], facts["encoder"], facts["passages"]) == ("hybrid", "static", 3)
    assert facts["report"] == ["1 x broken JSON (line 4)"]


def test_build_on_the_disk_in_a_stated_memory(tmp_path: Path, corpus: Path, index: Path) -> None:
    words = ("--kind", "bm25-disk", "--memory", "1GB", "--workers", "1", "--compress", "zlib")
    facts = answer("build", corpus, tmp_path / "disk", *words)
    assert (facts["kind"], facts["engine"]) == ("bm25-disk", "disk")
    assert facts["command"].endswith(
        "--kind bm25-disk --analyser english --compress zlib --overwrite"
    )
    assert "engine: disk" in run("info", tmp_path / "disk")
    assert answer("search", tmp_path / "disk", "element") == answer("search", index, "element")
    with pytest.raises(BadIndexError, match="'plenty' is no amount of memory; write it like 8GB"):
        run("build", corpus, tmp_path / "other", "--memory", "plenty")


def test_vectors_that_were_made_elsewhere(tmp_path: Path, corpus: Path) -> None:
    texts = ["Warsaw Warsaw lies on the Vistula.", "Gold Gold is an element [b].", "x"]
    vectors = tmp_path / "emb.npy"
    np.save(vectors, make_encoder("static").encode(texts, "passage"))
    words = ("--kind", "faiss-ivfsq8", "--vectors", vectors, "--workers", 1)
    facts = answer("build", corpus, tmp_path / "dense", *words)
    assert facts["recall"] == 1.0
    assert f"--vectors {vectors}" in facts["command"]
    assert answer("search", tmp_path / "dense", "element gold", "-k", 1)["hits"][0]["id"] == "1"
    with pytest.raises(BadIndexError, match="bm25 has no use for vectors"):
        run("build", corpus, tmp_path / "other", "--vectors", vectors)


def test_info_names_the_command_that_builds_it_again(index: Path, corpus: Path) -> None:
    assert "passages: 3" in run("info", index)
    command = answer("info", index)["command"]
    assert command.startswith(f"asl index build {corpus} {index} --kind bm25")
    run(*command.split()[2:])  # without "asl index"


def test_check_reads_everything(index: Path) -> None:
    assert "files are sound" in run("check", index).replace("\n", " ")
    assert answer("check", index)["ok"] is True


def test_search_prints_passages(index: Path) -> None:
    assert "1. Gold" in run("search", index, "element")
    assert "[b]" in run("search", index, "element")  # no markup is made of brackets
    found = answer("search", index, "vistula", "-k", "1")
    assert [hit["id"] for hit in found["hits"]] == ["0"]
    assert found["hits"][0]["score"] > 0
    assert answer("search", index, "zzz")["hits"] == []
    assert run("search", index, "zzz") == ""
    assert "Nothing 1" in run("search", "null", "x")


def test_another_encoder_can_be_given(tmp_path: Path, corpus: Path) -> None:
    run("build", corpus, tmp_path / "d", "--kind", "faiss-flat")
    assert answer("search", tmp_path / "d", "metal", "--encoder", "static", "-k", "1")["hits"]


def test_errors_come_out_as_they_are(index: Path, corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(BadIndexError, match="add --overwrite"):
        run("build", corpus, index)
    with pytest.raises(BadIndexError, match="does not exist"):
        run("check", tmp_path / "nowhere")
    with pytest.raises(BadIndexError, match="unknown retriever"):
        run("search", tmp_path / "nowhere", "x")
    refused = CliRunner().invoke(app, ["build", str(corpus), str(index), "--kind", "bm26"])
    assert refused.exit_code == 2
