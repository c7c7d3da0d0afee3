"""Candidate actions: a finite menu of text turns with features, for classical RL."""
