"""The co-evolution loop: recipes, state, phases, diagnostics."""
