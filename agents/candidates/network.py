"""A permutation-equivariant actor-critic over candidate rows, as an SB3 policy."""

from __future__ import annotations

from typing import Any

import torch
from sb3_contrib.common.maskable.policies import MaskableActorCriticPolicy
from stable_baselines3.common.type_aliases import Schedule
from torch import nn

from asl_env.candidates.menu import FEATURES, MAX_CANDIDATES, PRIOR


class CandidateNet(nn.Module):
    """Scores every candidate in the light of the whole menu.

    Each row passes the same two layers; between them it meets the mean and the maximum over all
    rows, so the logits move with the rows when these are permuted. The lexical score enters the
    logit through a learned weight.

    Args:
        width: Hidden units.
        prior_weight: Start value of the weight of the lexical score.

    Attributes:
        latent_dim_pi: Number of logits, ``MAX_CANDIDATES``.
        latent_dim_vf: Width of the value head's input.
    """

    scale: torch.Tensor

    def __init__(self, width: int = 64, prior_weight: float = 0.0) -> None:
        super().__init__()
        self.latent_dim_pi = MAX_CANDIDATES
        self.latent_dim_vf = width
        self.row = nn.Sequential(nn.Linear(FEATURES, width), nn.ReLU())
        self.context = nn.Linear(2 * width, width)
        self.mix = nn.Linear(width, width)
        self.logit = nn.Linear(width, 1)
        self.value = nn.Sequential(nn.Linear(2 * width, width), nn.Tanh())
        scale = torch.ones(FEATURES)
        scale[PRIOR] = 0.1  # the only column that is not of the order of one
        self.register_buffer("scale", scale)
        self.prior_weight = nn.Parameter(torch.tensor(float(prior_weight)))
        nn.init.normal_(self.logit.weight, std=0.01)
        nn.init.zeros_(self.logit.bias)

    def _rows(self, flat: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Returns rows ``[B, K, F]``, their codes ``[B, K, W]`` and the context ``[B, 2W]``."""
        rows = flat.view(-1, MAX_CANDIDATES, FEATURES)
        real = (rows != 0).any(-1, keepdim=True)
        codes = self.row(rows * self.scale) * real
        mean = codes.sum(1) / real.sum(1).clamp(min=1)
        return rows, codes, torch.cat([mean, codes.amax(1)], dim=-1)

    def forward(self, flat: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Returns logits ``[B, K]`` and value features ``[B, W]`` for inputs ``[B, K * F]``."""
        rows, codes, context = self._rows(flat)
        mixed = torch.relu(self.mix(codes) + self.context(context).unsqueeze(1))
        logits = self.logit(mixed).squeeze(-1) + self.prior_weight * rows[..., PRIOR]
        return logits, self.value(context)

    def forward_actor(self, flat: torch.Tensor) -> torch.Tensor:
        """Logits only."""
        return self.forward(flat)[0]

    def forward_critic(self, flat: torch.Tensor) -> torch.Tensor:
        """Value features only."""
        value: torch.Tensor = self.value(self._rows(flat)[2])
        return value


class CandidatePolicy(MaskableActorCriticPolicy):
    """SB3 policy around ``CandidateNet``; its logits are the actions' logits as they are."""

    def __init__(
        self, *args: Any, width: int = 64, prior_weight: float = 0.0, **kwargs: Any
    ) -> None:
        self._width = width
        self._prior_weight = prior_weight
        super().__init__(*args, **{**kwargs, "ortho_init": False})

    def _build_mlp_extractor(self) -> None:
        self.mlp_extractor = CandidateNet(self._width, self._prior_weight)  # type: ignore[assignment]

    def _build(self, lr_schedule: Schedule) -> None:
        super()._build(lr_schedule)
        self.action_net = nn.Identity()
        self.optimizer = self.optimizer_class(
            self.parameters(),
            lr=lr_schedule(1),  # type: ignore[call-arg]
            **self.optimizer_kwargs,
        )
