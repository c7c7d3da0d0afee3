"""Settings of the whole suite."""

from hypothesis import settings

# A slow machine is no failure: examples have no time limit of their own.
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")
