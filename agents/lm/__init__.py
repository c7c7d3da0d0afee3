"""Language-model agents: token-exact rollouts, training, the nano model."""
