"""The shortest way to see an environment run: a random agent in the policy seat.

python examples/random_agent.py --episodes 5
"""

from __future__ import annotations

import argparse

import gymnasium as gym

import asl_env  # noqa: F401 - importing it registers the environments
from asl_env.agents.scripted import RandomAgent
from asl_env.episode import Chat, Role


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--episodes", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()

    # MiniWiki, an encyclopedia inside the package, is searched with BM25; nothing is downloaded.
    env = gym.make("ASLSearch-v0")
    agent = RandomAgent()
    rewards = []

    for episode in range(arguments.seed, arguments.seed + arguments.episodes):
        # The observation is the newest message; info["messages"] is the whole chat.
        observation, info = env.reset(seed=episode)
        print(f"\nquestion: {observation}")
        over = False
        while not over:
            # An agent takes a batch of chats and returns one turn (plain text) for each.
            (turn,) = agent.act([Chat(Role.POLICY, info["messages"], seed=episode)])
            observation, reward, terminated, truncated, info = env.step(turn.text)
            over = terminated or truncated
        rewards.append(reward)
        trajectory = info["trajectory"]
        print(f"answer: {trajectory.answer} (accepted: {', '.join(trajectory.assignment.answers)})")
        print(f"searches: {trajectory.tool_calls}, reward: {reward}")

    print(f"\nmean reward of {len(rewards)} episodes: {sum(rewards) / len(rewards):.3f}")


if __name__ == "__main__":
    main()
