"""One freshly named world for all tests of the nano model."""

import numpy as np
import pytest

from asl_env.agents.lm.nano.worlds import make_world


@pytest.fixture(scope="session")
def world():
    return make_world(np.random.default_rng(0), top_k=3, max_chars=600)
