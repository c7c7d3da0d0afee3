"""Writes MiniWiki's embedded training questions, byte for byte the same each time.

python tools/build_trainset.py [--out corpora/miniwiki/data]
"""

from __future__ import annotations

import argparse
from pathlib import Path

from asl_env.corpora.miniwiki import evalsets, trainset

DATA = Path(__file__).resolve().parents[1] / "corpora" / "miniwiki" / "data"


def main() -> None:
    """Builds the set and writes its file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=DATA)
    options = parser.parse_args()
    records = trainset.build()
    (options.out / trainset.FILE).write_bytes(evalsets.dumps(records))
    print(f"{options.out / trainset.FILE}: {len(records)} questions")


if __name__ == "__main__":
    main()
