"""From a chat to its menu: reads the transcript back and asks the seat for candidates."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from asl_env import prompts
from asl_env.candidates.evidence import Search
from asl_env.candidates.generator_seat import Source, generator_menu
from asl_env.candidates.grm_seat import grm_menu
from asl_env.candidates.menu import Menu
from asl_env.candidates.reading import Reader, Reading
from asl_env.candidates.search_seat import policy_menu
from asl_env.candidates.vectors import SenseVectors
from asl_env.dialects import make_dialect
from asl_env.episode import Chat, Message, Role
from asl_env.protocols import Dialect, Encoder


class MenuBuilder:
    """Builds menus for chats of any seat, from the transcript alone.

    Equal transcripts get the same menu from memory, so the many rollouts of one question cost
    little more than one.

    Args:
        dialect: The dialect the chats are written in.
        encoder: Source of sense vectors; the offline static table by default.
        memory: Number of menus remembered.
    """

    def __init__(
        self,
        dialect: str | Dialect = "asl",
        encoder: Encoder | None = None,
        memory: int = 4096,
    ) -> None:
        self.dialect = make_dialect(dialect)
        self._read = Reader()
        self._sense = SenseVectors(encoder)
        self._memory = memory
        self._menus: OrderedDict[tuple[str, ...], Menu] = OrderedDict()

    def menu(self, chat: Chat) -> Menu:
        """Returns the menu of a chat."""
        key = (chat.role.value, *(m["content"] for m in chat.messages[1:]))
        menu = self._menus.get(key)
        if menu is None:
            menu = self._build(chat)
            self._menus[key] = menu
            if len(self._menus) > self._memory:
                self._menus.popitem(last=False)
        else:
            self._menus.move_to_end(key)
        return menu

    def write(self, menu: Menu, index: int) -> str:
        """Writes a candidate as an assistant turn."""
        return menu.write(index, self.dialect)

    def _build(self, chat: Chat) -> Menu:
        user = next(m["content"] for m in chat.messages if m["role"] == "user")
        searches = self._searches(chat.role, chat.messages)
        if chat.role is Role.POLICY:
            return policy_menu(user.strip(), searches, self._sense)
        if chat.role is Role.GRM:
            question, answer = prompts.read_claim(user) or (user, "")
            return grm_menu(question, answer, searches, self._sense)
        return generator_menu(self._source(user), searches)

    def _source(self, user: str) -> Source:
        request = prompts.read_request(user)
        if request is None:
            return Source("seed", user.strip()[:200], "width", "", "")
        return Source(
            request.kind,
            request.topic,
            request.style,
            request.source_question,
            request.source_answer,
        )

    def _searches(self, role: Role, messages: Sequence[Message]) -> list[Search]:
        """Pairs the queries of assistant turns with the results that followed them."""
        searches: list[Search] = []
        query = ""
        readings: list[Reading] = []
        for message in messages[2:]:
            if message["role"] == "assistant":
                if query or readings:
                    searches.append(Search(query, tuple(readings)))
                action = self.dialect.parse(message["content"], role)
                query = " ".join(q for call in action.calls for q in call.queries)
                readings = []
                continue
            passages = self.dialect.read_results(message)
            readings.extend(self._read(p) for p in passages or ())
        if query or readings:
            searches.append(Search(query, tuple(readings)))
        return searches
