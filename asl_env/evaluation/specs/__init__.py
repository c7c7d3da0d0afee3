"""Evaluation specs: frozen statements of how questions are asked and scored, as YAML."""
