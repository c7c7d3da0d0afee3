"""``asl play --watch``: an agent plays, a person reads the episode turn by turn."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from asl_env.episode import Chat, Role, Turn

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from asl_env.episode import Message
    from asl_env.protocols import Agent, Dialect

#: Everything that moves a terminal's cursor or changes its state; models may write anything.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
#: What is inside these tags, by colour; the tags themselves are dimmed.
_STYLES = {
    "think": "dim italic",
    "tool_call": "cyan",
    "search": "bold cyan",
    "question": "bold magenta",
    "answer": "bold green",
}
_BLOCK = re.compile(rf"<({'|'.join(_STYLES)})>(.*?)(</\1>|$)", re.DOTALL)
_QUERY = re.compile(r'"query":\s*(\[[^\]]*\]|"(?:[^"\\]|\\.)*")')


class Watched:
    """An agent whose chats are shown as they are played.

    Args:
        agent: Who plays.
        dialect: The dialect of the chats.
        console: Where the episode is shown.
        waiting: Where it says that the agent is thinking.
    """

    def __init__(self, agent: Agent, dialect: Dialect, console: Console, waiting: Console) -> None:
        self._agent = agent
        self._dialect = dialect
        self._console = console
        self._waiting = waiting

    def act(self, chats: Sequence[Chat], *, greedy: bool = False) -> list[Turn]:
        """Shows what each chat brought, lets the agent act, and shows what it says."""
        from asl_env.play import ask

        for chat in chats:
            self._show_news(chat)
        with self._waiting.status("thinking"):
            turns = ask(self._agent, chats, greedy=greedy)
        for chat, turn in zip(chats, turns, strict=True):
            self._show_turn(chat, turn)
        return turns

    def _show_news(self, chat: Chat) -> None:
        """Shows the messages since the agent's last turn."""
        said = [at for at, one in enumerate(chat.messages) if one["role"] == "assistant"]
        for message in chat.messages[said[-1] + 1 if said else 0 :]:
            if message["role"] == "system":
                continue  # the same in every episode, and long
            self._head("results" if message["role"] == "tool" else "assignment", "yellow")
            self._show_message(message)

    def _show_message(self, message: Message) -> None:
        from rich.text import Text

        passages = self._dialect.read_results(message)
        if not passages:
            self._say(Text(printable(message["content"].strip())))
            return
        for number, passage in enumerate(passages, start=1):
            self._say(Text(printable(f"[{number}] {passage.title}"), style="bold"))
            self._say(Text(printable(passage.text)))

    def _show_turn(self, chat: Chat, turn: Turn) -> None:
        from rich.text import Text

        tokens = "" if turn.token_ids is None else f", {len(turn.token_ids)} tokens"
        self._head(f"{chat.role}, turn {chat.turn + 1}{tokens}", _COLOURS[chat.role])
        if not turn.text.strip():
            self._say(Text("(says nothing)", style="dim"))
            return
        self._say(styled(turn.text))
        for call in self._dialect.parse(turn.text, chat.role).calls:
            if call.error is not None:
                self._say(Text(f"(malformed call: {call.error})", style="red"))

    def _head(self, title: str, colour: str) -> None:
        from rich.text import Text

        self._console.print()
        self._say(Text(f"-- {title} --", style=f"bold {colour}"))

    def _say(self, text: Text) -> None:
        # Outside a terminal nothing is wrapped, so that programs find lines as they were written.
        self._console.print(text, soft_wrap=not self._console.is_terminal)


_COLOURS = {Role.POLICY: "blue", Role.GRM: "red", Role.GENERATOR: "magenta"}


def styled(turn: str) -> Text:
    """Colours a turn by its tags: thoughts dimmed, queries and answers lit up.

    Args:
        turn: Any text; nothing of it is hidden but control characters.
    """
    from rich.text import Text

    shown = printable(turn.strip())
    text = Text(shown)
    for block in _BLOCK.finditer(shown):
        text.stylize("dim", *block.span())
        text.stylize(f"not dim {_STYLES[block[1]]}", *block.span(2))
        if block[1] == "tool_call":
            for query in _QUERY.finditer(block[2]):
                start = block.start(2)
                text.stylize("bold cyan", start + query.start(1), start + query.end(1))
    return text


def printable(text: str) -> str:
    """Returns a text without control characters other than line feeds and tabs."""
    return _CONTROL.sub("", text)
