"""Settings of the whole suite."""

import gc
import os

from hypothesis import settings

# Workers share the cores: with more than one thread each, threads would spin while they wait for
# each other. torch, faiss and BLAS read this when they are loaded, and programs inherit it.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["OMP_NUM_THREADS"] = "1"

# A slow machine is no failure: examples have no time limit of their own.
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")


def pytest_collection_finish():
    """Spares the garbage collector what is imported by now.

    Trainers collect garbage several times whenever they start, and each time goes through all of
    torch and transformers, which stay.
    """
    gc.collect()
    gc.freeze()
