"""Turns openly licensed packages into MiniWiki's entity and fact tables."""
