"""Who plays: one agent for all seats, or one per seat; those that can learn are saved."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from asl_env.episode import Chat, Role, Turn
from asl_env.errors import AgentError, did_you_mean
from asl_env.play import ask
from asl_env.protocols import Agent, Learner

#: In each checkpoint: which folder holds whom.
MANIFEST = "agents.json"


class Timed:
    """An agent that is waited for only so long.

    Args:
        agent: Who plays.
        timeout: Seconds that one ``act`` may take. After one that took longer, every further call
            fails at once: the thread that hangs cannot be stopped.
    """

    def __init__(self, agent: Agent, timeout: float) -> None:
        self._agent = agent
        self._timeout = timeout
        self._failure: AgentError | None = None

    def act(self, chats: Sequence[Chat], *, greedy: bool = False) -> list[Turn]:
        """Asks the agent.

        Raises:
            AgentError: If it raises, hangs, or returns something else than one turn per chat.
        """
        if self._failure is not None:
            raise self._failure
        started = time.monotonic()
        try:
            return ask(self._agent, chats, greedy=greedy, timeout=self._timeout)
        except AgentError as error:
            if time.monotonic() - started >= self._timeout:
                self._failure = error
            raise


class Team:
    """The three seats and their agents.

    Args:
        agents: One agent for all seats, or a mapping with one per seat (seats may share one).
        timeout: Seconds that one ``act`` of an agent may take; ``None`` for any time.

    Raises:
        AgentError: If a seat is missing or unknown, or an agent has no ``act``.
    """

    def __init__(self, agents: Agent | Mapping[str, Agent], timeout: float | None = None) -> None:
        if not isinstance(agents, Mapping):
            agents = {role.value: agents for role in Role}
        given = {str(role): agent for role, agent in agents.items()}
        names = [role.value for role in Role]
        for name in given:
            if name not in names:
                raise AgentError(f"no seat is called {name!r}{did_you_mean(name, names)}")
        for name in names:
            if not callable(getattr(given.get(name), "act", None)):
                found = type(given.get(name)).__name__ if name in given else "nobody"
                raise AgentError(f"the {name} seat needs an agent with a method act, not {found}")
        self._agents = {Role(name): given[name] for name in names}
        self._players: dict[Role, Agent] = dict(self._agents)
        if timeout is not None:
            timed = {id(agent): Timed(agent, timeout) for agent in self._agents.values()}
            self._players = {role: timed[id(agent)] for role, agent in self._agents.items()}

    def __getitem__(self, role: Role) -> Agent:
        return self._players[role]

    def learner(self, role: Role) -> Learner | None:
        """The seat's agent if it can learn, else ``None``."""
        agent = self._agents[role]
        return cast(Learner, agent) if callable(getattr(agent, "learn", None)) else None

    def members(self) -> dict[str, Agent]:
        """The distinct agents, named after their seats: ``all``, ``policy``, ``policy+grm``."""
        groups: dict[int, list[Role]] = {}
        for role, agent in self._agents.items():
            groups.setdefault(id(agent), []).append(role)
        return {
            "all" if len(roles) == len(Role) else "+".join(roles): self._agents[roles[0]]
            for roles in groups.values()
        }

    def save(self, folder: Path) -> None:
        """Writes every learner into a folder of its own, and a manifest of all."""
        manifest: dict[str, Any] = {}
        for name, agent in self.members().items():
            kind = type(agent)
            saves = callable(getattr(agent, "save", None))
            manifest[name] = {"class": f"{kind.__module__}:{kind.__qualname__}", "saved": saves}
            if saves:
                (folder / name).mkdir()
                cast(Learner, agent).save(folder / name)
        (folder / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")

    def load(self, folder: Path) -> None:
        """Restores every learner from what ``save`` wrote.

        Raises:
            AgentError: If the checkpoint holds other agents.
        """
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        members = self.members()
        saved = [name for name, entry in manifest.items() if entry["saved"]]
        for name in saved:
            if name not in members or not callable(getattr(members[name], "load", None)):
                raise AgentError(
                    f"{folder}: holds an agent for {name!r}, which this team cannot load; "
                    "resume with the agents that began the run"
                )
            cast(Learner, members[name]).load(folder / name)

    def as_saved(self, role: Role, folder: Path) -> Agent:
        """A copy of a seat's agent as it was when a checkpoint was written; never learns.

        Agents that save nothing are returned as they are.
        """
        agent = self._agents[role]
        for name, member in self.members().items():
            if member is agent and (folder / name).is_dir():
                frozen = copy.deepcopy(cast(Learner, agent))
                frozen.load(folder / name)
                return frozen
        return agent
