"""Reranking with a cross-encoder of a few words, made on the spot."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest

from asl_env.corpora.passages import Passage
from asl_env.errors import BadIndexError
from asl_env.retrieval.bm25 import BM25Retriever
from asl_env.retrieval.index import build_index
from asl_env.retrieval.registry import make_retriever
from asl_env.retrieval.rerank import RerankRetriever, RerankSpec, read_spec

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "river", "town", "gold", "planet"]
PASSAGES = [Passage(str(n), "", f"town river {'gold ' * (n % 3)}planet") for n in range(12)]


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        ("rerank:org/model:indexes/wiki", RerankSpec("org/model", "indexes/wiki")),
        ("rerank:m:http://127.0.0.1:8000", RerankSpec("m", "http://127.0.0.1:8000")),
        ("rerank:a:rerank:b:miniwiki", RerankSpec("a", "rerank:b:miniwiki")),
        ("miniwiki", None),
    ],
)
def test_a_reranked_search_in_words(spec: str, found: RerankSpec | None) -> None:
    assert read_spec(spec) == found


@pytest.mark.parametrize("spec", ["rerank:", "rerank:model", "rerank:model:", "rerank::miniwiki"])
def test_a_part_that_is_missing_is_one_line(spec: str) -> None:
    with pytest.raises(BadIndexError, match="write rerank:MODEL:INDEX, such as"):
        make_retriever(spec)


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_cross_encoder(tmp_path_factory.mktemp("models") / "tiny-cross-encoder", 1)


def tiny_cross_encoder(folder: Path, outputs: int) -> Path:
    """A BERT of one layer with random weights, as sentence-transformers saves it."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

    plain = Tokenizer(models.WordLevel({w: n for n, w in enumerate(WORDS)}, unk_token="[UNK]"))
    plain.pre_tokenizer = pre_tokenizers.Whitespace()
    plain.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]"}
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=plain, sep_token="[SEP]", model_max_length=64, **special
    )
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=64,
        num_labels=outputs,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        BertForSequenceClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.slow  # importing sentence-transformers takes seconds
def test_hits_are_sorted_by_what_the_model_says_of_the_pair(model_folder: Path) -> None:
    from sentence_transformers import CrossEncoder
    from torch.nn import Identity

    inner = BM25Retriever.from_passages(PASSAGES)
    [first] = inner.search(["gold river"], 12)
    pairs = [["gold river", hit.passage.text] for hit in first]
    scores = CrossEncoder(str(model_folder)).predict(pairs, activation_fn=Identity())
    expected = sorted(zip(first, scores.tolist(), strict=True), key=lambda pair: -pair[1])
    retriever = RerankRetriever(inner, model_folder, depth=12)
    [found] = retriever.search(["gold river"], 5)
    assert [hit.passage for hit in found] == [hit.passage for hit, _ in expected[:5]]
    assert [hit.score for hit in found] == pytest.approx([score for _, score in expected[:5]])
    assert retriever.search(["gold river"], 3)[0] == found[:3]
    assert retriever.search(["zzz", "gold river \ud800"], 2)[0] == []
    assert retriever.search(["gold"], 0) == [[]]
    assert retriever.search([], 3) == []
    assert copy.deepcopy(retriever) is retriever


@pytest.mark.slow  # importing sentence-transformers takes seconds
def test_only_the_first_hits_are_read(model_folder: Path) -> None:
    inner = BM25Retriever.from_passages(PASSAGES)
    [first] = inner.search(["gold"], 2)
    [found] = RerankRetriever(inner, model_folder, depth=2).search(["gold"], 2)
    assert {hit.passage for hit in found} == {hit.passage for hit in first}


@pytest.mark.slow  # importing sentence-transformers takes seconds
def test_environments_and_commands_take_it_by_name(model_folder: Path, tmp_path: Path) -> None:
    import gymnasium as gym

    from asl_env.agents.cli.searching import index_digest, open_retriever
    from asl_env.dialects import make_dialect

    build_index(PASSAGES, tmp_path / "index")
    spec = f"rerank:{model_folder}:{tmp_path / 'index'}"
    expected = RerankRetriever(make_retriever(tmp_path / "index"), model_folder)
    assert open_retriever("miniwiki", spec).search(["gold"], 3) == expected.search(["gold"], 3)
    assert index_digest("miniwiki", spec) not in (None, index_digest(str(tmp_path / "index")))
    env = gym.make("ASLSearch-v0", tool=spec)
    env.reset(seed=0)
    observation, *_ = env.step(make_dialect("asl").write_search("gold"))
    assert "planet" in observation


@pytest.mark.slow  # importing sentence-transformers takes seconds
def test_what_is_no_model_with_one_output_is_one_line(tmp_path: Path) -> None:
    from transformers import BertForSequenceClassification

    inner = BM25Retriever.from_passages(PASSAGES)
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadIndexError, match="cannot load the cross-encoder") as caught:
        RerankRetriever(inner, tmp_path / "empty")
    assert "\n" not in str(caught.value)
    with pytest.raises(BadIndexError, match="has 3 outputs; reranking needs a model with one"):
        RerankRetriever(inner, tiny_cross_encoder(tmp_path / "three", 3))
    headless = tiny_cross_encoder(tmp_path / "headless", 1)
    BertForSequenceClassification.from_pretrained(headless).bert.save_pretrained(headless)
    with pytest.raises(BadIndexError, match="is an encoder without a trained head for ranking"):
        RerankRetriever(inner, headless)
    with pytest.raises(BadIndexError, match="a depth of 0 reranks nothing"):
        RerankRetriever(inner, "any", depth=0)
