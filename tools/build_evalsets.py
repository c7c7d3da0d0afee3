"""Builds MiniWiki's evaluation sets from its facts, byte for byte the same each time.

python tools/build_evalsets.py [--out corpora/miniwiki/data] [NAME ...]
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from asl_env.corpora.miniwiki import evalsets, facts
from asl_env.corpora.miniwiki.oracle import Oracle

DATA = Path(__file__).resolve().parents[1] / "corpora" / "miniwiki" / "data"


def main() -> None:
    """Reads the command line and writes the files."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("names", nargs="*", help="sets to build (all by default)")
    parser.add_argument("--out", type=Path, default=DATA, help="where the data files go")
    options = parser.parse_args()
    known = facts.load()
    oracle = Oracle(known)
    for name in options.names or evalsets.NAMES:
        records = evalsets.build(name, known, oracle)
        (options.out / evalsets.file_name(name)).write_bytes(evalsets.dumps(records))
        asked = Counter(record.metadata["chain"][-1] for record in records)
        relation, count = asked.most_common(1)[0]
        print(
            f"{name}: {len(records)} questions over {len(asked)} relations, "
            f"most often {relation} ({count / len(records):.0%})"
        )


if __name__ == "__main__":
    main()
