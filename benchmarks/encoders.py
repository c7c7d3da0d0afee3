"""Which retriever finds the evidence: BM25, static vectors, MiniLM, their hybrids, a reranker.

    python benchmarks/encoders.py                                   # MiniWiki
    python benchmarks/encoders.py --data DIR --questions hotpotqa-dev.jsonl musique-train.jsonl
    python benchmarks/encoders.py --data DIR --keep vectors --reranker FOLDER
    python benchmarks/encoders.py --sample 3000 --encoders static   # a smaller corpus, one encoder

One search with the question as it stands. On MiniWiki ``any`` is the share of questions for which
one of the first k passages belongs to an article that leads to the answer, and ``answer`` the share
for which such a passage contains the answer. With ``--data`` (a folder with ``passages.jsonl`` and
a question file, each question naming its ``supporting_passages``) ``any`` and ``all`` are the
shares with one, and with all, of them found; ``recall`` is the mean share of them that is found.
Brackets hold 95 % intervals over questions: Wilson's, for ``recall`` a bootstrap's.

``--keep`` is a folder for the vectors of the passages: a second run does not encode them again.
``--reranker`` is a folder with ``model.onnx`` and ``tokenizer.json`` of a cross-encoder, whose last
output says how relevant a passage is (two outputs: its lead over the first). It needs onnxruntime,
reads the first 50 passages of BM25 and of every hybrid, and sorts them.

``--sample N`` keeps every passage that some question needs and draws others up to N: slow encoders
are compared on the same smaller corpus; recall is then higher than on the whole.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from asl_env.agents.report.intervals import wilson
from asl_env.corpora.passages import Passage
from asl_env.errors import AslError, BadIndexError
from asl_env.evaluation.statistics import Estimate, bootstrap_mean
from asl_env.protocols import Encoder, Hit, Retriever
from asl_env.retrieval.bm25 import BM25Retriever, indexed_text
from asl_env.retrieval.dense import FaissRetriever, encode_all, fill
from asl_env.retrieval.encoders import encoder_name, make_encoder
from asl_env.retrieval.hybrid import HybridRetriever
from asl_env.retrieval.vectors.source import ArrayVectors
from asl_env.text import normalize

DEPTHS = (3, 10)
#: Passages that a reranker reads per question.
READ = 50

#: Given the passages found: the named shares this question counts for.
Judge = Callable[[Sequence[Passage]], Mapping[str, float]]


class Question(NamedTuple):
    """A question, what it needs, and how a ranking is judged."""

    text: str
    needs: Callable[[Passage], bool]
    judge: Judge


def miniwiki(suffix: str, per_set: int) -> dict[str, Any]:
    """Passages and questions of MiniWiki's evaluation sets (``-dev`` or the held-out ones)."""
    from asl_env.corpora.miniwiki import evalsets
    from asl_env.corpora.miniwiki.world import load

    world = load()
    sets = {}
    for base in ("miniwiki-1hop", "miniwiki-2hop", "miniwiki-3hop", "miniwiki-compare"):
        records = evalsets.load(base + suffix)[:per_set]
        sets[base + suffix] = [_miniwiki_question(record, world.facts) for record in records]
    return {"passages": world.passages, "sets": sets}


def _miniwiki_question(record: Any, facts: Any) -> Question:
    titles = {facts.entity(subject).title for subject in record.metadata["subjects"]}
    answers = [f" {normalize(answer)} " for answer in record.golden_answers]

    def answers_it(passage: Passage) -> bool:
        text = f" {normalize(f'{passage.title} {passage.text}')} "
        return passage.title in titles and any(answer in text for answer in answers)

    def judge(found: Sequence[Passage]) -> Mapping[str, float]:
        return {
            "any": any(passage.title in titles for passage in found),
            "answer": any(answers_it(passage) for passage in found),
        }

    return Question(record.question, lambda passage: passage.title in titles, judge)


def from_folder(folder: Path, names: Sequence[str], limit: int) -> dict[str, Any]:
    """Passages and questions of a folder."""
    from asl_env.corpora.catalog import open_corpus

    sets: dict[str, list[Question]] = {}
    for name in names:
        lines = (folder / name).read_text(encoding="utf-8").splitlines()[:limit]
        records = map(json.loads, lines)
        sets[name] = [
            _supported(record["question"], set(record["metadata"]["supporting_passages"]))
            for record in records
        ]
    passages = list(open_corpus(folder / "passages.jsonl").passages())
    return {"passages": passages, "sets": sets}


def _supported(text: str, wanted: set[str]) -> Question:
    def judge(found: Sequence[Passage]) -> Mapping[str, float]:
        ids = {passage.id for passage in found}
        share = len(wanted & ids) / max(1, len(wanted))
        return {"any": bool(wanted & ids), "all": wanted <= ids, "recall": share}

    return Question(text, lambda passage: passage.id in wanted, judge)


def sampled(data: dict[str, Any], size: int) -> list[Passage]:
    """The passages some question needs, and others drawn up to ``size``, in their order."""
    passages: list[Passage] = data["passages"]
    if not size or size >= len(passages):
        return passages
    questions = [question for each in data["sets"].values() for question in each]
    kept = {row for row, p in enumerate(passages) if any(q.needs(p) for q in questions)}
    others = [row for row in range(len(passages)) if row not in kept]
    draw = np.random.default_rng(0).permutation(others)[: max(0, size - len(kept))]
    return [passages[row] for row in sorted(kept | set(draw.tolist()))]


def dense(
    passages: list[Passage], encoder: Encoder, keep: Path | None
) -> tuple[FaissRetriever, float]:
    """Exact search over the vectors of passages, which are encoded once if they can be kept.

    Returns:
        The retriever, and how many passages were encoded per second; 0 where none was.
    """
    path, rate = None, 0.0
    if keep is not None:
        digest = hashlib.sha256("\0".join(map(indexed_text, passages)).encode()).hexdigest()
        keep.mkdir(parents=True, exist_ok=True)
        path = keep / f"{encoder_name(encoder).replace('/', '-')}-{digest[:16]}.npy"
    if path is not None and path.is_file():
        vectors = np.load(path)
    else:
        start = time.perf_counter()
        vectors = np.concatenate(list(encode_all(passages, encoder)))
        rate = len(passages) / (time.perf_counter() - start)
        if path is not None:
            part = path.with_suffix(".part.npy")
            np.save(part, vectors)
            part.replace(path)
    return FaissRetriever(passages, fill(ArrayVectors(vectors), "faiss-flat"), encoder), rate


class OnnxReranker:
    """Sorts the first hits of a retriever by a cross-encoder in ONNX's format.

    Args:
        inner: What is searched first.
        folder: Has ``model.onnx`` and ``tokenizer.json``.
    """

    def __init__(self, inner: Retriever, folder: Path) -> None:
        import onnxruntime
        from tokenizers import Tokenizer

        self._inner = inner
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(512)
        self._tokenizer.enable_padding()
        self._model = onnxruntime.InferenceSession(
            str(folder / "model.onnx"), providers=["CPUExecutionProvider"]
        )
        self._inputs = {one.name for one in self._model.get_inputs()}

    def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        """Returns for each query at most ``k`` hits, best first."""
        found = self._inner.search(queries, max(k, READ))
        return [self._sorted(query, hits)[:k] for query, hits in zip(queries, found, strict=True)]

    def _sorted(self, query: str, hits: list[Hit]) -> list[Hit]:
        if not hits:
            return hits
        pairs = [(query, indexed_text(hit.passage)) for hit in hits]
        read = self._tokenizer.encode_batch(pairs)
        fields = {
            "input_ids": [one.ids for one in read],
            "attention_mask": [one.attention_mask for one in read],
            "token_type_ids": [one.type_ids for one in read],
        }
        given = {name: np.array(x, np.int64) for name, x in fields.items() if name in self._inputs}
        outputs = self._model.run(None, given)[0]
        scores = outputs[:, -1] - (outputs[:, 0] if outputs.shape[1] > 1 else 0.0)
        judged = [Hit(hit.passage, float(x)) for hit, x in zip(hits, scores, strict=True)]
        return sorted(judged, key=lambda hit: -hit.score)


def interval(share: str, values: Sequence[float]) -> Estimate | None:
    """The mean over questions, with its 95 % interval."""
    if share == "recall":
        return bootstrap_mean(values)
    return wilson(float(np.mean(values)), len(values))


def evaluate(name: str, retriever: Retriever, data: dict[str, Any], built: float = 0.0) -> None:
    """Prints a line per question set."""
    for title, questions in data["sets"].items():
        texts = [question.text for question in questions]
        retriever.search(texts[:5], max(DEPTHS))
        start = time.perf_counter()
        found = [retriever.search([text], max(DEPTHS))[0] for text in texts]
        speed = len(texts) / (time.perf_counter() - start)
        cells = []
        for k in DEPTHS:
            judged = [
                question.judge([hit.passage for hit in hits[:k]])
                for question, hits in zip(questions, found, strict=True)
            ]
            cells += [
                f"{share}@{k} {interval(share, [each[share] for each in judged])}"
                for share in judged[0]
            ]
        made = f"{built:7,.0f} passages/s" if built else ""
        print(f"{name:26}{title:24}{'  '.join(cells)}  {speed:8,.0f} q/s  {made}", flush=True)


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description="Retrieval recall and speed of encoders.")
    parser.add_argument("--data", type=Path, help="folder with passages.jsonl and questions")
    parser.add_argument(
        "--questions", nargs="*", default=["hotpotqa-dev.jsonl"], help="files in that folder"
    )
    parser.add_argument("--keep", type=Path, help="folder for vectors, made once")
    parser.add_argument("--reranker", type=Path, help="folder of a cross-encoder in ONNX's format")
    parser.add_argument("--encoders", nargs="*", default=["static", "minilm"])
    parser.add_argument("--analysers", nargs="*", default=["english"])
    parser.add_argument("--sample", type=int, default=0, help="passages to keep; 0 for all")
    parser.add_argument("--limit", type=int, default=500, help="questions per set")
    parser.add_argument("--dev", action="store_true", help="MiniWiki's sets for tuning")
    options = parser.parse_args()
    if options.data:
        data = from_folder(options.data, options.questions, options.limit)
    else:
        data = miniwiki("-dev" if options.dev else "", options.limit)
    passages = sampled(data, options.sample)
    print(f"{len(passages):,} passages of {len(data['passages']):,}")
    compare(passages, data, options)


def compare(passages: list[Passage], data: dict[str, Any], options: argparse.Namespace) -> None:
    """Evaluates one retriever after another."""
    bm25 = None
    for analyser in options.analysers:
        start = time.perf_counter()
        made = BM25Retriever.from_passages(passages, analyser, compiled=True)
        bm25 = bm25 or made
        rate = len(passages) / (time.perf_counter() - start)
        evaluate(f"bm25 {analyser}", made, data, rate)
    if bm25 is not None and options.reranker:
        evaluate("bm25, reranked", OnnxReranker(bm25, options.reranker), data)
    for name in options.encoders:
        try:
            encoder = make_encoder(name)
        except BadIndexError as error:
            print(f"{name}: {error}")
            continue
        nearest, rate = dense(passages, encoder, options.keep)
        evaluate(name, nearest, data, rate)
        if bm25 is None:
            continue
        hybrid = HybridRetriever([bm25, nearest])
        evaluate(f"bm25 + {name}", hybrid, data)
        if options.reranker:
            evaluate(f"bm25 + {name}, reranked", OnnxReranker(hybrid, options.reranker), data)


if __name__ == "__main__":
    try:
        main()
    except (AslError, OSError, ImportError) as error:
        raise SystemExit(f"encoders: {error}") from error
