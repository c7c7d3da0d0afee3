"""Which retriever finds the evidence: BM25, static vectors, MiniLM, and their hybrids.

    python benchmarks/encoders.py                                   # MiniWiki
    python benchmarks/encoders.py --data DIR --questions hotpotqa-dev.jsonl
    python benchmarks/encoders.py --sample 3000 --encoders static   # a smaller corpus, one encoder

One search with the question as it stands. On MiniWiki ``any`` is the share of questions for which
one of the first k passages belongs to an article that leads to the answer, and ``answer`` the share
for which such a passage contains the answer. With ``--data`` (a folder with ``passages.jsonl`` and
a question file, each question naming its ``supporting_passages``) ``any`` and ``all`` are the
shares with one, and with all, of them found.

``--sample N`` keeps every passage that some question needs and draws others up to N: slow encoders
are compared on the same smaller corpus; recall is then higher than on the whole.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from asl_env.corpora.passages import Passage
from asl_env.errors import BadIndexError
from asl_env.retrieval.bm25 import BM25Retriever
from asl_env.retrieval.dense import FaissRetriever
from asl_env.retrieval.encoders import make_encoder
from asl_env.retrieval.hybrid import HybridRetriever
from asl_env.retrieval.ranked import RankedRetriever
from asl_env.text import normalize

DEPTHS = (3, 10)

#: Given the passages found: the named shares this question counts for.
Judge = Callable[[Sequence[Passage]], dict[str, bool]]


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

    def judge(found: Sequence[Passage]) -> dict[str, bool]:
        return {
            "any": any(passage.title in titles for passage in found),
            "answer": any(answers_it(passage) for passage in found),
        }

    return Question(record.question, lambda passage: passage.title in titles, judge)


def from_folder(folder: Path, name: str, limit: int) -> dict[str, Any]:
    """Passages and questions of a folder."""
    from asl_env.corpora.catalog import open_corpus

    lines = (folder / name).read_text(encoding="utf-8").splitlines()[:limit]
    questions = []
    for record in map(json.loads, lines):
        wanted = set(record["metadata"]["supporting_passages"])
        questions.append(_supported(record["question"], wanted))
    passages = list(open_corpus(folder / "passages.jsonl").passages())
    return {"passages": passages, "sets": {name: questions}}


def _supported(text: str, wanted: set[str]) -> Question:
    def judge(found: Sequence[Passage]) -> dict[str, bool]:
        ids = {passage.id for passage in found}
        return {"any": bool(wanted & ids), "all": wanted <= ids}

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


def evaluate(name: str, retriever: RankedRetriever, data: dict[str, Any], built: float) -> None:
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
            for share in judged[0]:
                mean = np.mean([each[share] for each in judged])
                cells.append(f"{share}@{k} {mean:.3f}")
        print(f"{name:18}{title:24}{'  '.join(cells)}  {speed:8,.0f} q/s  {built:7,.0f} passages/s")


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description="Retrieval recall and speed of encoders.")
    parser.add_argument("--data", type=Path, help="folder with passages.jsonl and questions")
    parser.add_argument("--questions", default="hotpotqa-dev.jsonl", help="file in that folder")
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
    bm25 = None
    for analyser in options.analysers:
        start = time.perf_counter()
        made = BM25Retriever.from_passages(passages, analyser, compiled=True)
        bm25 = bm25 or made
        rate = len(passages) / (time.perf_counter() - start)
        evaluate(f"bm25 {analyser}", made, data, rate)
    for name in options.encoders:
        try:
            encoder = make_encoder(name)
        except BadIndexError as error:
            print(f"{name}: {error}")
            continue
        start = time.perf_counter()
        dense = FaissRetriever.from_passages(passages, "faiss-flat", encoder)
        rate = len(passages) / (time.perf_counter() - start)
        evaluate(name, dense, data, rate)
        if bm25 is not None:
            evaluate(f"bm25 + {name}", HybridRetriever([bm25, dense]), data, rate)


if __name__ == "__main__":
    main()
