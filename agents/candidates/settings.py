"""Hyper-parameters of the candidates learner."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CandidateSettings:
    """PPO over candidates; see sb3-contrib's ``MaskablePPO`` for the meaning of each field.

    Attributes:
        width: Hidden units of the network.
        learning_rate: Adam's step size.
        n_steps: Steps per environment and update.
        batch_size: Samples per gradient step.
        n_epochs: Passes over the samples of an update.
        gamma: Discount; episodes are short and end with their reward, so 1.
        gae_lambda: 1 is Monte Carlo, as in the paper's runs.
        clip_range: PPO's clip.
        ent_coef: Weight of the entropy bonus.
        vf_coef: Weight of the value loss.
        max_grad_norm: Gradient clip.
        blind: Share of the policy's training episodes that hide word overlap (``CandidateVecEnv``).
        prior_weight: Start weight of the lexical score in the logits, for every seat.
    """

    width: int = 64
    learning_rate: float = 5e-4
    n_steps: int = 8
    batch_size: int = 256
    n_epochs: int = 4
    gamma: float = 1.0
    gae_lambda: float = 1.0
    clip_range: float = 0.2
    ent_coef: float = 0.01
    vf_coef: float = 0.5
    max_grad_norm: float = 0.5
    blind: float = 0.3
    prior_weight: float = 0.0
