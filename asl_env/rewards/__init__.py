"""Rewards: pure functions and the reward models built from them."""
