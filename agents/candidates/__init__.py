"""Classical RL over candidate actions: network and MaskablePPO learner."""
