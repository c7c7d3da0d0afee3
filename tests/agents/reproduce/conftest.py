"""Lets the tests of this folder import the tiny world and learner of the loop's tests."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "coevolution"))
