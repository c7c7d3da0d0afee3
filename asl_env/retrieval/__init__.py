"""Retrieval: searchable indexes over passages."""
