"""Plain Stable-Baselines3 PPO on the policy seat.

Stable-Baselines3 cannot act in text. ``CandidateActions`` offers a menu of text turns (queries from
the question and from what was read, answers from what was found) with a row of numbers for each,
so that the seat becomes an ordinary environment with a ``Box`` and a ``Discrete`` space.

    python examples/sb3_ppo.py --steps 4096

MaskablePPO with a network made for menus learns much faster: that is what ``asl train --agent
candidates`` uses.
"""

from __future__ import annotations

import argparse

import gymnasium as gym
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.monitor import Monitor

import asl_env  # noqa: F401 - importing it registers the environments
from asl_env.candidates import CandidateActions


def mean_reward(model: PPO, env: gym.Env, episodes: int, seed: int) -> float:
    """Plays greedily and returns the mean reward."""
    total = 0.0
    for episode in range(episodes):
        observation, _ = env.reset(seed=seed + episode)
        over = False
        while not over:
            action, _ = model.predict(observation, deterministic=True)
            observation, reward, terminated, truncated, info = env.step(action)
            over = terminated or truncated
        if "invalid" not in info:  # a failed search is no zero: it is left out
            total += float(reward)
    return total / episodes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=4096, help="environment steps")
    parser.add_argument("--n-steps", type=int, default=512, help="steps per update")
    parser.add_argument("--episodes", type=int, default=50, help="episodes of the evaluation")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # the network is small

    env = Monitor(CandidateActions(gym.make("ASLSearch-v0", max_turns=4)))
    model = PPO(
        "MlpPolicy",
        env,
        n_steps=arguments.n_steps,
        batch_size=min(64, arguments.n_steps),
        gamma=1.0,
        seed=arguments.seed,
        device="cpu",
    )
    # Other tasks than those it trains on: seeds far away from the training ones.
    before = mean_reward(model, env, arguments.episodes, seed=1_000_000)
    model.learn(arguments.steps)
    after = mean_reward(model, env, arguments.episodes, seed=1_000_000)
    print(f"mean reward before {before:.3f}, after {arguments.steps} steps {after:.3f}")


if __name__ == "__main__":
    main()
