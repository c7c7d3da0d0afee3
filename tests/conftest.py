"""Settings of the whole suite."""

from hypothesis import HealthCheck, settings

# A slow machine is no failure: examples have no time limit of their own.
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")
