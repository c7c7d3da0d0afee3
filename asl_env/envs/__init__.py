"""The environments: three seats, their co-evolution game and the vector entry points."""
