"""A searchable index of a real Wikipedia dump, and an agent that uses it.

    asl corpus get gensim-extract   # 106 articles of the English Wikipedia, as raw dump
    python examples/build_wikipedia_index.py --dump gensim-extract --out runs/wikipedia

A whole dump (``enwiki-latest-pages-articles.xml.bz2``) works the same way: pages are streamed,
never held in memory. ``asl corpus build`` and ``asl index build`` do this on the command line.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from asl_env.corpora.build import build_store
from asl_env.episode import Task
from asl_env.lexical import LexicalAgent
from asl_env.play import play
from asl_env.retrieval.index import build_index, check_index, open_index
from asl_env.tool import SearchTool


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dump", required=True, help="pages-articles XML (bz2), or a corpus name")
    parser.add_argument("--out", type=Path, required=True, help="folder for store and index")
    parser.add_argument("--query", default="capital city")
    parser.add_argument("--question", default="Which country is Oslo the capital of?")
    arguments = parser.parse_args()

    # Wikitext -> plain text -> passages of about 100 words, each with its article's title.
    store, report = build_store(arguments.dump, arguments.out / "passages", overwrite=True)
    print(f"{store.count} passages; left out: {'; '.join(report.lines()) or 'nothing'}")

    # Passages -> BM25 index. An index is a folder with a manifest that is checked on opening.
    index = arguments.out / "index"
    build_index(arguments.out / "passages", index, kind="bm25", overwrite=True)
    check_index(index)
    retriever = open_index(index)

    for hits in retriever.search([arguments.query], 3):
        for passage, score in hits:
            print(f"{score:6.2f}  {passage.title}: {passage.text[:80]}")

    # Any agent plays on it; environments take it too: gym.make("ASLSearch-v0", tool=str(index)).
    task = Task("mine", arguments.question, ("unknown",))
    (episode,) = play(LexicalAgent(), [task], tool=SearchTool(retriever), greedy=True)
    print(f"{task.question} -> {episode.answer}")


if __name__ == "__main__":
    main()
