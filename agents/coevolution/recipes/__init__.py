"""Recipes: complete statements of an experiment, as YAML."""
