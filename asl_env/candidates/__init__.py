"""Candidate actions: a finite menu of text turns with features, for classical RL."""

from asl_env.candidates.wrapper import CandidateActions

__all__ = ["CandidateActions"]
