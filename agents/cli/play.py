"""``asl play``: a person takes a seat in the terminal, or watches an agent in it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from asl_env.episode import Assignment, Chat, Claim, Request, Role, Task, Trajectory, Turn

if TYPE_CHECKING:
    from asl_env.protocols import Agent, Dialect

_HELP = {
    Role.POLICY: "search WORDS   look something up\nanswer TEXT    give the answer",
    Role.GRM: (
        "search WORDS   look something up\nanswer correct (or) answer wrong   give the verdict"
    ),
    Role.GENERATOR: (
        "search WORDS   look something up\nask QUESTION => ANSWER   hand in question and answer"
    ),
}


class Person:
    """An agent whose turns are typed.

    ``search``, ``answer`` and ``ask`` are written in the dialect; a line with tags is sent as it
    stands, so that a whole turn can be typed; any other line shows the commands again. The end of
    the input ends the episode without an answer.

    Args:
        dialect: The dialect of the chats.
    """

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect

    def act(self, chats: Sequence[Chat], *, greedy: bool = False) -> list[Turn]:
        """Shows each chat's newest messages and reads a turn."""
        return [Turn(self._turn(chat)) for chat in chats]

    def _turn(self, chat: Chat) -> str:
        _show(chat, self._dialect)
        if chat.turn == 0:
            typer.secho(f"\n{_HELP[chat.role]}", dim=True)
        while True:
            typer.secho(f"\n{chat.role}> ", bold=True, nl=False)
            try:
                line = input().strip()
            except EOFError:
                return ""
            turn = write_turn(line, chat.role, self._dialect)
            if turn != line or "<" in line:
                return turn
            if line:  # a slip of the keyboard must not end the episode
                typer.secho(_HELP[chat.role], dim=True)


def write_turn(line: str, role: Role, dialect: Dialect) -> str:
    """Turns what a person typed into a turn of the dialect.

    Args:
        line: ``search …``, ``answer …``, ``ask … => …``, or a whole turn.
        role: Whose turn it is.
        dialect: The dialect.
    """
    from asl_env.rewards.verdict import write_verdict

    verb, _, rest = line.partition(" ")
    rest = rest.strip()
    if verb == "search" and rest:
        return dialect.write_search(rest)
    if verb == "answer" and rest:
        if role is Role.GRM and rest == "correct":
            rest = write_verdict("correct")
        elif role is Role.GRM and rest == "wrong":
            rest = write_verdict("wrong")
        return dialect.write_final(rest)
    if verb == "ask" and "=>" in rest:
        question, _, answer = rest.rpartition("=>")
        return dialect.write_final(answer.strip(), question.strip())
    return line


def play(
    seat: Annotated[Role, typer.Option(help="Whose seat you take.")] = Role.POLICY,
    tasks: Annotated[
        str, typer.Option(help="Where questions come from (policy and grm); as in asl eval.")
    ] = "miniwiki-1hop-dev",
    topic: Annotated[
        str | None, typer.Option(help="What to ask about (generator); a MiniWiki topic if not set.")
    ] = None,
    corpus: Annotated[
        str, typer.Option(help="What is searched: miniwiki, wiki-vital, a file or a store.")
    ] = "miniwiki",
    index: Annotated[
        str | None, typer.Option(help="An index folder, in place of --corpus.")
    ] = None,
    dialect: Annotated[str, typer.Option(help="asl or search-r1.")] = "asl",
    seed: Annotated[int, typer.Option(help="Which question you get.")] = 0,
    max_turns: Annotated[int, typer.Option(min=1, help="Turns at most.")] = 9,
    out: Annotated[
        Path | None, typer.Option(help="File to which the trajectory is appended (JSONL).")
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", help="Let an agent play and read along; --agent says which.")
    ] = False,
    agent: Annotated[
        str | None, typer.Option(help="Who plays while you watch; as in asl eval. [default: nano]")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="A language model that plays: name, folder or GGUF file.")
    ] = None,
    adapter: Annotated[
        Path | None, typer.Option(help="A LoRA adapter for the language model.")
    ] = None,
    chat_template: Annotated[
        str | None, typer.Option(help="Its chat template, where it has none (a Jinja file).")
    ] = None,
    sample: Annotated[
        bool, typer.Option("--sample", help="Watch sampled turns, not the likeliest ones.")
    ] = False,
) -> None:
    """Take a seat yourself, or watch an agent: search results, turns, and what is true."""
    from asl_env.agents.cli.searching import open_retriever, suited
    from asl_env.dialects import make_dialect
    from asl_env.evaluation.records import encode, to_record
    from asl_env.play import play as rollout
    from asl_env.tool import SearchTool

    spoken = make_dialect(dialect)
    assignment = _assignment(seat, tasks, topic, seed)
    watched = watch or any(one is not None for one in (agent, model, adapter))
    player = (
        _player(agent, model, adapter, chat_template, spoken, seat) if watched else Person(spoken)
    )
    reads = suited(agent or model or "nano") if watched else None
    tool = SearchTool(open_retriever(corpus, index), max_chars=reads)
    (episode,) = rollout(
        player,
        [assignment],
        tool=tool,
        dialect=spoken,
        seeds=[seed],
        greedy=watched and not sample,
        max_turns=max_turns,
    )
    typer.secho(f"\n{_outcome(episode, 'It' if watched else 'You')}", bold=True)
    if out is not None:
        with out.open("ab") as file:
            file.write(encode(to_record(episode)))


def _player(
    agent: str | None,
    model: str | None,
    adapter: Path | None,
    template: str | None,
    dialect: Dialect,
    seat: Role,
) -> Agent:
    """Opens the agent that is watched."""
    from asl_env.agents.cli import console
    from asl_env.agents.cli.watch import Watched
    from asl_env.errors import AgentError

    if agent is not None and model is not None:
        raise AgentError("--agent and --model both say who plays; give one of them")
    waiting = console.status()
    with waiting.status("loading"):
        if agent is not None and agent != "nano":
            from asl_env.agents.loading import load_agent

            player = load_agent(agent, dialect=dialect, role=seat)
        else:
            from asl_env.agents.lm.checks import open_agent

            player, warnings = open_agent(
                model or "nano", dialect=dialect, adapter=adapter, template=template
            )
            for line in warnings:
                waiting.print(line, style="yellow", markup=False)
    return Watched(player, dialect, console.person(), waiting)


def _assignment(seat: Role, tasks: str, topic: str | None, seed: int) -> Assignment:
    import numpy as np

    from asl_env.evaluation import load_tasks

    rng = np.random.default_rng(seed)
    if seat is Role.GENERATOR:
        if topic is None:
            from asl_env.corpora.miniwiki.world import load

            known = load().topics
            topic = known[int(rng.integers(len(known)))]
        return Request(f"play-{seed}", "seed", topic)
    found = load_tasks(tasks).tasks
    task, other = (found[int(at)] for at in rng.integers(len(found), size=2))
    if seat is Role.POLICY:
        return task
    right = bool(rng.integers(2)) or other.answers[0] in task.answers
    answer = (task if right else other).answers[0]
    return Claim(task.id, task.question, answer, "correct" if right else "wrong")


def _show(chat: Chat, dialect: Dialect) -> None:
    """Prints what the seat has not read yet."""
    last = max((at for at, m in enumerate(chat.messages) if m["role"] == "assistant"), default=0)
    for message in chat.messages[last + 1 :]:
        passages = dialect.read_results(message)
        if passages is None:
            typer.echo(f"\n{message['content']}")
            continue
        for number, passage in enumerate(passages, start=1):
            typer.secho(f"\n[{number}] {passage.title}", bold=True)
            typer.echo(passage.text)
        if not passages:
            typer.echo(f"\n{message['content']}")


def _outcome(episode: Trajectory, who: str) -> str:
    """One line: what was handed in (by ``You`` or ``It``), and what is true."""
    if episode.invalid is not None:
        return f"The episode does not count: {episode.invalid}"
    if episode.answer is None:
        return "The episode ended without an answer."
    given = episode.assignment
    if isinstance(given, Task):
        from asl_env.rewards.matching import em

        right = "Right" if em(episode.answer, given.answers) else "Wrong"
        return f"{right}. {who} said {episode.answer!r}; accepted: {', '.join(given.answers)}."
    if isinstance(given, Claim):
        from asl_env.rewards.verdict import parse_verdict

        verdict = parse_verdict(episode.answer)
        right = "Right" if verdict == given.label else "Wrong"
        whose = "Your" if who == "You" else "Its"
        return f"{right}. {whose} verdict: {verdict or 'invalid'}; the answer was {given.label}."
    return _judged(episode.question or "", episode.answer, "yours" if who == "You" else "its own")


def _judged(question: str, answer: str, whose: str) -> str:
    """What MiniWiki's oracle says about a question that was made."""
    from asl_env.corpora.miniwiki.world import load

    reply = load().oracle.ask(question)
    if reply.status == "outside":
        return "MiniWiki's oracle does not understand the question, so nobody knows."
    if reply.status == "unanswerable":
        return "No fact of MiniWiki answers the question."
    right = "right" if reply.accepts(answer) else "wrong"
    number = "one right answer" if reply.unique else f"{len(reply.answers)} right answers"
    return f"The question has {number} in MiniWiki; {whose} is {right}."
