"""Episodes to report on, and what reads a report back."""

import base64
import json
import re
import zlib
from html.parser import HTMLParser

from asl_env.episode import Claim, Request, RewardParts, Role, Task, Trajectory, Turn

EVIL = '<script>alert("x")</script>&amp;</pre>'
VOID = {"meta", "rect", "circle", "path", "input"}
FOUND = '\nid: p1\ncontent:\n"Oslo"\nOslo is the capital of Norway.\n'
SEARCH = (
    "<think>Where?</think>\n"
    '<tool_call>\n{"name": "retrieve", "arguments": {"query": "capital"}}\n</tool_call>'
)


class Checker(HTMLParser):
    """Follows the tags of a page; knows its text."""

    def __init__(self):
        super().__init__()
        self.open, self.text, self.scripts = [], "", 0

    def handle_starttag(self, tag, attrs):
        names = {name for name, _ in attrs}
        assert "src" not in names and not any(name.startswith("on") for name in names)
        assert all(value.startswith("#") for name, value in attrs if name == "href")
        self.scripts += tag == "script" and ("type", "text/plain") not in attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        assert tag in VOID

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] != ["script"]:
            self.text += data


def check(path):
    """Parses a report; fails if it is not well-formed or would load something."""
    html = path.read_text(encoding="utf-8")
    checker = Checker()
    checker.feed(html)
    checker.close()
    assert checker.open == [] and checker.scripts == 1
    assert "://" not in html and "default-src 'none'" in html
    return checker


def blocks(path, kind):
    """The content of all data blocks of a kind, unpacked."""
    html = path.read_text(encoding="utf-8")
    found = re.findall(f'<script type="text/plain" class="{kind}">([^<]*)</script>', html)
    return [zlib.decompress(base64.b64decode(block), -15).decode() for block in found]


def episodes(path):
    """All episodes of a report as objects."""
    return [json.loads(line) for block in blocks(path, "chunk") for line in block.split("\n")]


def conversation(question, *turns):
    """System message, question, then turns with one search result after each but the last."""
    chat = [
        {"role": "system", "content": "You answer."},
        {"role": "user", "content": question},
    ]
    for turn in turns:
        chat += [{"role": "assistant", "content": turn}, {"role": "tool", "content": FOUND}]
    return tuple(chat[:-1]), tuple(Turn(turn, (1, 2, 3), (-0.1,) * 3) for turn in turns)


def solved(number, answer="Oslo"):
    """The policy's episode on the task ``r1-tN``."""
    task = Task(f"r1-t{number}", f"Which town is number {number}?", ("Oslo",), {"kind": "seed"})
    chat, turns = conversation(task.question, SEARCH, f"<answer>{answer}</answer>")
    played = Trajectory(Role.POLICY, task, chat, turns, answer, tool_calls=1)
    return played, RewardParts(number / 10, {"verdict": number / 10})


def asked(parent):
    """The generator's episode that varies a task."""
    request = Request("r2-q", "harder", "towns", "depth", "Which town?", "Oslo", {"parent": parent})
    said = "<question>Whose town is it?</question>\n<answer>Ada</answer>"
    chat, turns = conversation("Write a harder question.", said)
    solves = [{"answer": "Ada", "verdict": "correct", "seed": 1}]
    reward = RewardParts(0.5, {"valid": 1.0}, extras={"solves": solves})
    return Trajectory(Role.GENERATOR, request, chat, turns, "Ada", "Whose town is it?"), reward


def judged():
    """The judge's episode, which failed."""
    claim = Claim("c1", "Which town?", "Rome", "wrong")
    chat, turns = conversation("Is it right?", "no idea")
    return Trajectory(Role.GRM, claim, chat, turns, None), RewardParts(0.0, invalid="no verdict")


def task_line(name, number, question, parent=None, kind="seed"):
    """A self-made task as a run exports it."""
    metadata = {"round": number, "kind": kind} | ({"parent": parent} if parent else {})
    return {"id": name, "question": question, "golden_answers": ["Oslo"], "metadata": metadata}
