"""An agent of one's own is a class with one method.

    python examples/custom_agent.py --limit 50

The command line takes it too, for evaluation and as a seat of the loop (run in this folder):

    asl eval --agent custom_agent:TitleAgent --tasks miniwiki-1hop --limit 50
    asl train --agent policy=custom_agent:TitleAgent
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence

from asl_env.dialects import make_dialect
from asl_env.episode import Chat
from asl_env.evaluation import evaluate, load_tasks
from asl_env.retrieval.registry import make_retriever
from asl_env.tool import SearchTool

NAME = re.compile(r"\b[A-Z]\w+(?: [A-Z]\w+)*")


class TitleAgent:
    """Searches for the question, then answers with a name it read that the question lacks."""

    def __init__(self) -> None:
        # The dialect writes searches and answers, and reads results; agents need no tags.
        self.dialect = make_dialect("asl")

    def act(self, chats: Sequence[Chat], *, greedy: bool = False) -> list[str]:
        """Returns one turn per chat; many chats run at once, each with its own seat and seed."""
        return [self.turn(chat) for chat in chats]

    def turn(self, chat: Chat) -> str:
        """Looks at one chat: system message, question, then turns and results in order."""
        question = chat.messages[1]["content"]
        if chat.turn == 0:
            return self.dialect.write_search(question)
        for passage in self.dialect.read_results(chat.messages[-1]) or []:
            for name in NAME.findall(f"{passage.title}. {passage.text}"):
                if name not in question:
                    return self.dialect.write_final(name)
        return self.dialect.write_final("unknown")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--limit", type=int, default=50, help="number of questions")
    arguments = parser.parse_args()
    tool = SearchTool(make_retriever("miniwiki"))
    tasks = load_tasks("miniwiki-1hop", limit=arguments.limit)
    result = evaluate(TitleAgent(), tasks, tool=tool)
    for name, estimate in result.metrics.items():
        print(f"{name:9} {estimate}")


if __name__ == "__main__":
    main()
