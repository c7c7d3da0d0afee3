"""One freshly named world, and episodes of another, for all tests of the nano model."""

import numpy as np
import pytest

from asl_env.agents.lm.nano.episodes import episodes
from asl_env.agents.lm.nano.worlds import make_world


@pytest.fixture(scope="session")
def world():
    return make_world(np.random.default_rng(0), top_k=3, max_chars=600)


@pytest.fixture(scope="session")
def played():
    return list(episodes(np.random.default_rng(4), 120, per_world=120))
