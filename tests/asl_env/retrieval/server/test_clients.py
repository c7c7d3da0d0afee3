"""The clients of two systems, as they are installed, against a real server."""

import json

import pytest
from served import Echo, hits

from asl_env.retrieval.server.serving import RunningServer


def test_skyrl_s_search_tool():
    search = pytest.importorskip("skyrl_gym.tools.search")
    with RunningServer(Echo()) as server:
        tool = search.SearchToolGroup(f"{server.url}/retrieve", topk=2, log_requests=False)
        said = json.loads(tool.search("who?"))["result"]
    for number, hit in enumerate(hits("who?", 2), start=1):
        assert f"Doc {number}: {hit.passage.contents}" in said


def test_gem_s_search_tool():
    tools = pytest.importorskip("gem.tools.search_tool")
    with RunningServer(Echo()) as server:
        tool = tools.SearchTool(search_url=f"{server.url}/retrieve", topk=2, timeout=60)
        valid, failed, said, _ = tool.execute_action("<search>who?</search>")
    assert (valid, failed) == (True, False)
    assert 'Doc 2(Title: "On who?") Passage 2\nabout who?.' in said
