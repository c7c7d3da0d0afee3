"""Agents that are a model behind an OpenAI-compatible server."""
