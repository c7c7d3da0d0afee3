"""Index folders: built completely or not at all, opened only when nothing is wrong."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from asl_env.corpora.passages import Passage
from asl_env.errors import BadIndexError, CorpusError
from asl_env.retrieval.bm25 import BM25Retriever
from asl_env.retrieval.encoders import unit
from asl_env.retrieval.hybrid import HybridRetriever
from asl_env.retrieval.index import KINDS, build_index, check_index, index_info, open_index

PASSAGES = [
    Passage(f"p{n}", f"Town {n}", f"Town {n} lies on river {n % 7} in county {n % 3}.")
    for n in range(60)
]
QUERIES = ["town 17", "river 3", "county 2 river 5"]


class LetterEncoder:
    """Letter counts: an encoder that needs no weights."""

    name = "letters"

    def __init__(self, dimension: int = 128) -> None:
        self.dimension = dimension

    def encode(
        self, texts: Sequence[str], kind: Literal["query", "passage"]
    ) -> NDArray[np.float32]:
        out = np.zeros((len(texts), self.dimension), np.float32)
        for row, text in enumerate(texts):
            for letter in text:
                out[row, ord(letter) % self.dimension] += 1
        return unit(out)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    target = tmp_path / "index"
    build_index(PASSAGES, target)
    return target


def edit(folder: Path, **changes: Any) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_built_opened_checked_and_searched(kind: str, tmp_path: Path) -> None:
    target = tmp_path / "deep" / "index"
    encoder = LetterEncoder()
    info = build_index(PASSAGES, target, kind=kind, encoder=encoder)
    assert (info.kind, info.passages) == (kind, 60)
    retriever = open_index(target, encoder=encoder)
    assert [hits[0].passage.id for hits in retriever.search(["town 17"], 3)] == ["p17"]
    assert all(hit.passage in PASSAGES for hits in retriever.search(QUERIES, 5) for hit in hits)
    assert check_index(target, encoder=encoder) == index_info(target)
    assert sorted(path.name for path in target.parent.iterdir()) == ["index"]


def test_an_opened_index_ranks_as_one_in_memory(folder: Path) -> None:
    memory = BM25Retriever.from_passages(PASSAGES)
    assert open_index(folder).search(QUERIES, 10) == memory.search(QUERIES, 10)


def test_a_hybrid_holds_both_parts(tmp_path: Path) -> None:
    encoder = LetterEncoder()
    info = build_index(PASSAGES, tmp_path / "h", kind="hybrid", encoder=encoder, dense="faiss-hnsw")
    assert (info.analyser, info.encoder, info.dense) == ("english", "letters", "faiss-hnsw")
    retriever = open_index(tmp_path / "h", encoder=encoder)
    assert isinstance(retriever, HybridRetriever)
    assert len(retriever.parts) == 2


def test_the_manifest_says_what_is_inside_and_how_to_build_it_again(
    tmp_path: Path, corpus_file: Path
) -> None:
    info = build_index(corpus_file, tmp_path / "out", analyser="words")
    assert info.command == (
        f"asl index build {corpus_file} {tmp_path / 'out'} --kind bm25 --analyser words --overwrite"
    )
    assert info.report == ["1 x broken JSON (line 2)"]
    assert set(info.files) >= {"passages/passages.bin", "bm25/data.csc.index.npy"}
    on_disk = {path: path.stat().st_size for path in (tmp_path / "out").rglob("*.*")}
    assert info.bytes == sum(
        size for path, size in on_disk.items() if path != tmp_path / "out" / "manifest.json"
    )


@pytest.fixture
def corpus_file(tmp_path: Path) -> Path:
    path = tmp_path / "corpus.jsonl"
    lines = [json.dumps({"id": str(n), "contents": f'"T{n}"\ntext {n}'}) for n in range(3)]
    path.write_text("\n".join([lines[0], "{broken", *lines[1:]]))
    return path


def test_progress_is_told(tmp_path: Path) -> None:
    told: list[tuple[str, int, int | None]] = []
    build_index(
        PASSAGES,
        tmp_path / "i",
        kind="hybrid",
        encoder=LetterEncoder(),
        progress=lambda *step: told.append(step),
    )
    assert ("passages", 60, 60) in told
    assert ("bm25", 60, 60) in told
    assert ("vectors", 60, 60) in told
    assert told[-1][0] == "checksums"


def test_nothing_but_an_index_is_ever_replaced(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(BadIndexError, match="is an index already; add --overwrite"):
        build_index(PASSAGES, folder)
    build_index(PASSAGES[:5], folder, overwrite=True)
    assert index_info(folder).passages == 5
    other = tmp_path / "thesis"
    other.mkdir()
    (other / "chapter.txt").write_text("precious")
    for overwrite in (False, True):
        with pytest.raises(BadIndexError, match="exists and is no index"):
            build_index(PASSAGES, other, overwrite=overwrite)
    assert (other / "chapter.txt").read_text() == "precious"


class CallerError(Exception):
    pass


def broken_stream(error: BaseException) -> Iterator[Passage]:
    yield from PASSAGES[:30]
    raise error


@pytest.mark.parametrize("error", [KeyboardInterrupt(), CallerError(), CorpusError("line 31")])
@pytest.mark.parametrize("existing", [False, True])
def test_an_interrupted_build_leaves_the_old_index_or_none(
    error: BaseException, existing: bool, tmp_path: Path
) -> None:
    target = tmp_path / "index"
    if existing:
        build_index(PASSAGES, target)
    with pytest.raises(type(error)):
        build_index(broken_stream(error), target, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == (["index"] if existing else [])
    if existing:
        assert check_index(target).passages == 60


def test_a_full_disk_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    """A limit on the size of files makes every larger write fail, as a full disk does."""
    script = textwrap.dedent(
        """
        import resource, signal, sys
        from asl_env.corpora.passages import Passage
        from asl_env.errors import BadIndexError
        from asl_env.retrieval.index import build_index
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
        passages = [Passage(str(n), "", " ".join(f"w{n * i % 997}" for i in range(90)))
                    for n in range(2_000)]
        try:
            build_index(passages, sys.argv[1])
        except BadIndexError as error:
            print(error)
        """
    )
    # The passages take 1 MB, the postings 2 MB: one limit hits the store, one the index.
    for limit in (200_000, 1_400_000):
        done = subprocess.run(
            [sys.executable, "-c", script, str(tmp_path / "index"), str(limit)],
            capture_output=True,
            text=True,
            check=True,
        )
        assert "index: cannot be written: File too large; nothing was changed" in done.stdout
        assert done.stdout.count("\n") == 1
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "bm52"}, "unknown kind of index 'bm52'; did you mean 'bm25'"),
        ({"kind": "hybrid", "dense": "bm25"}, "unknown dense of index 'bm25'"),
        ({"analyser": "englich"}, "unknown analyser 'englich'; did you mean 'english'"),
    ],
)
def test_unknown_options(options: dict[str, str], message: str, tmp_path: Path) -> None:
    with pytest.raises(BadIndexError, match=message):
        build_index(PASSAGES, tmp_path / "index", **options)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_no_passages_and_duplicate_ids_are_errors(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no passages"):
        build_index([], tmp_path / "index")
    with pytest.raises(CorpusError, match="share the id 'p3'"):
        build_index([*PASSAGES, PASSAGES[3]], tmp_path / "index")


def test_passages_without_any_term_can_be_indexed(tmp_path: Path) -> None:
    build_index([Passage("a", "", "the"), Passage("b", "", "...")], tmp_path / "index")
    assert open_index(tmp_path / "index").search(["the", "x"], 3) == [[], []]


def test_what_is_no_index_is_named(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(BadIndexError, match=r"does not exist; build one with `asl index build"):
        open_index(tmp_path / "nowhere")
    with pytest.raises(BadIndexError, match="is no index"):
        open_index(tmp_path)
    with pytest.raises(BadIndexError, match="is a passage store, not an index"):
        open_index(folder / "passages")
    edit(folder, format="something")
    with pytest.raises(BadIndexError, match="is no index \\(format 'something'\\)"):
        open_index(folder)
    for junk in ("{", "[]", "\x00"):
        (folder / "manifest.json").write_text(junk)
        with pytest.raises(BadIndexError, match=r"manifest\.json: .*rebuild it with"):
            open_index(folder)


def test_another_format_version_is_refused_with_the_command(folder: Path) -> None:
    edit(folder, version=3)
    with pytest.raises(
        BadIndexError,
        match=r"version 3, this asl-env reads versions 1 to 2; rebuild .*`asl index build",
    ):
        open_index(folder)


@pytest.mark.parametrize(
    "name",
    [
        "passages/passages.bin",
        "passages/rows.u32",
        "bm25/data.csc.index.npy",
        "bm25/vocab.index.json",
    ],
)
def test_a_file_that_is_cut_short_or_missing_is_named(folder: Path, name: str) -> None:
    path = folder / name
    path.write_bytes(path.read_bytes()[:-7])
    for problem in ("cut short", "is missing"):
        with pytest.raises(BadIndexError, match=problem) as caught:
            open_index(folder)
        assert str(path) in str(caught.value)
        assert "rebuild it with `asl index build passages" in str(caught.value)
        path.unlink(missing_ok=True)


@pytest.mark.parametrize("name", ["passages/passages.bin", "bm25/data.csc.index.npy"])
def test_a_flipped_bit_is_found_by_check(folder: Path, name: str) -> None:
    path = folder / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(BadIndexError, match=r"checksum differs .*rebuild it with"):
        check_index(folder)


def test_passages_of_another_index_are_refused(folder: Path, tmp_path: Path) -> None:
    build_index(PASSAGES[::-1], tmp_path / "other")
    shutil.rmtree(folder / "passages")
    shutil.copytree(tmp_path / "other" / "passages", folder / "passages")
    with pytest.raises(BadIndexError, match="rebuild it with"):
        open_index(folder)


def test_another_analyser_is_refused(folder: Path) -> None:
    edit(folder, analyser_fingerprint="00000000")
    with pytest.raises(BadIndexError, match=r"gave other terms .*rebuild it with"):
        open_index(folder)


def test_a_precision_needs_an_encoder_that_has_one(folder: Path, tmp_path: Path) -> None:
    build_index(PASSAGES, tmp_path / "static", kind="faiss-flat")
    for path in (folder, tmp_path / "static"):
        with pytest.raises(BadIndexError, match="no encoder that computes in bfloat16") as caught:
            open_index(path, precision="bfloat16")
        assert "rebuild" not in str(caught.value)
    misspelt: Any = "bfloat"
    with pytest.raises(BadIndexError, match="unknown precision 'bfloat'"):
        open_index(folder, precision=misspelt)


def test_another_encoder_is_refused(tmp_path: Path) -> None:
    target = tmp_path / "index"
    build_index(PASSAGES, target, kind="faiss-flat", encoder=LetterEncoder())
    with pytest.raises(BadIndexError, match="encoder 'letters', not 'static'; rebuild it with"):
        open_index(target, encoder="static")
    with pytest.raises(BadIndexError, match="128 dimensions, the encoder 'letters' now makes 64"):
        open_index(target, encoder=LetterEncoder(64))

    class Retrained(LetterEncoder):
        def encode(
            self, texts: Sequence[str], kind: Literal["query", "passage"]
        ) -> NDArray[np.float32]:
            return np.roll(super().encode(texts, kind), 5, axis=1)

    edit(target, probe=[0.5] * 8)
    with pytest.raises(BadIndexError, match="'letters' is not the one it was built with"):
        open_index(target, encoder=Retrained())
