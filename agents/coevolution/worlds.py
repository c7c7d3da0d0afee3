"""Opens the world of a run from the name of a corpus."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from asl_env.agents.coevolution.decontamination import decontaminate
from asl_env.agents.coevolution.recipe import Recipe
from asl_env.agents.coevolution.seeds import generator
from asl_env.agents.coevolution.world import World
from asl_env.corpora.catalog import Corpus, open_corpus
from asl_env.episode import Task
from asl_env.protocols import Retriever

#: MiniWiki's evaluation sets; corpora without sets of their own are given files.
MINIWIKI_SETS = ("miniwiki-1hop", "miniwiki-2hop", "miniwiki-3hop", "miniwiki-compare")
#: Labelled tasks for recipes that train on them.
MINIWIKI_TASKS = 1000
#: Their sets: golden answers with all aliases, or one golden answer in other words than the
#: articles use, so that a rule which compares strings misjudges right answers.
MINIWIKI_TRAIN = ("train", "train-open")


def open_world(
    corpus: str | Path | Corpus,
    recipe: Recipe,
    *,
    seed: int = 0,
    index: str | Path | None = None,
    held_out: Sequence[str] = (),
) -> World:
    """Opens a corpus with everything the loop needs of it.

    Args:
        corpus: ``miniwiki``, ``wiki-vital``, an index folder, a passage store, a file, or a
            corpus.
        recipe: Says how many passages a search gives, where topics come from, and which labelled
            task files are used.
        seed: Seed of the run; seed topics are drawn with it.
        index: An index folder or retriever name to search in; the corpus's own BM25 by default.
        held_out: Names or files of evaluation sets; MiniWiki has its own by default.

    Raises:
        AslError: If the corpus, index or a task file cannot be opened, or all questions of a
            labelled set are held out.
    """
    from asl_env.tool import SearchTool

    found, index = _open(corpus, index)
    retriever = _retriever(found, index)
    names = list(held_out)
    if not names and found.name == "miniwiki":
        names = list(MINIWIKI_SETS)
    measured = _load(names)
    labelled, dropped = decontaminate(_task_sets(found, recipe), measured, recipe.filters)
    return World(
        name=found.name,
        tool=SearchTool(retriever, top_k=recipe.search.top_k, max_chars=recipe.search.max_chars),
        topics=_topics(found, recipe, seed),
        held_out=measured,
        task_sets=labelled,
        contaminated=dropped,
        oracle=found.oracle,
        digest=found.digest,
    )


def _open(
    corpus: str | Path | Corpus, index: str | Path | None
) -> tuple[Corpus, str | Path | None]:
    """Opens a corpus; an index folder holds its passages."""
    from asl_env.corpora.store import is_store
    from asl_env.retrieval.manifest import PASSAGES

    if not isinstance(corpus, Corpus):
        folder = Path(corpus).expanduser()
        if is_store(folder / PASSAGES):
            return open_corpus(folder / PASSAGES), index or folder
    return open_corpus(corpus), index


def _retriever(corpus: Corpus, index: str | Path | None) -> Retriever:
    from asl_env.corpora.catalog import NAMES
    from asl_env.corpora.large import refuse_in_memory
    from asl_env.retrieval.registry import make_retriever

    if index is not None:
        return make_retriever(index)
    refuse_in_memory(corpus.name)
    if corpus.name in NAMES:
        return make_retriever(corpus.name)
    from asl_env.retrieval.bm25 import BM25Retriever

    return BM25Retriever.from_passages(corpus.passages())


def _topics(corpus: Corpus, recipe: Recipe, seed: int) -> list[str]:
    spec, rng = recipe.requests, generator(seed, "topics")
    count = spec.seeds if spec.topics != "both" else (spec.seeds + 1) // 2
    named = list(dict.fromkeys(corpus.topics(rng, count))) if spec.topics != "titles" else []
    if spec.topics == "topics":
        return named
    titles = corpus.titles
    chosen = rng.permutation(len(titles))[: spec.seeds - len(named)]
    return [*named, *(titles[index] for index in chosen.tolist())]


def _task_sets(corpus: Corpus, recipe: Recipe) -> Mapping[str, Sequence[Task]]:
    """The labelled sets that the recipe names: ``MINIWIKI_TRAIN``, or files."""
    names = set()
    if recipe.solve.tasks != "generated":
        names.add(recipe.solve.tasks)
    if recipe.verify.real is not None:
        names.add(recipe.verify.real.path)
    own = names & set(MINIWIKI_TRAIN) if corpus.name == "miniwiki" else set[str]()
    sets = {name: _miniwiki_tasks(restated=name == "train-open") for name in sorted(own)}
    return {**sets, **_load(sorted(names - own))}


def _miniwiki_tasks(*, restated: bool) -> Sequence[Task]:
    from asl_env.corpora.miniwiki.questions import training_tasks
    from asl_env.corpora.miniwiki.restating import restate

    rng = generator(0, "miniwiki", "train")
    tasks = []
    for hops in (1, 2):
        for record in training_tasks(rng, MINIWIKI_TASKS // 2, hops):
            answers = record.golden_answers
            if restated:
                answers = (restate(answers, record.metadata["chain"][-1]),)
            tasks.append(Task(record.id, record.question, answers, {"metadata": record.metadata}))
    return tasks


def _load(names: Sequence[str]) -> dict[str, Sequence[Task]]:
    from asl_env.evaluation.tasks import load_tasks

    return {name: load_tasks(name).tasks for name in names}
