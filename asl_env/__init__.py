"""Agentic self-learning as Gymnasium environments.

Importing this package registers ``ASLSearch-v0``, ``ASLGenerate-v0`` and ``ASLVerify-v0`` with
Gymnasium, and ``ASLCoevolution-v0`` with PettingZoo where it has a registry (1.27 and later).
"""

from asl_env.envs.registration import register

__version__ = "0.1.0"

register()
