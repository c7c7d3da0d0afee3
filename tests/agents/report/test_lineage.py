"""Families of questions: trees of what begat what, whatever the files say."""

from reportkit import check, solved, task_line

from asl_env.agents.report.lineage import lineage_section, read_lineage
from asl_env.agents.report.write import write_report


def test_families_are_shown_as_nested_lists(make_run):
    first = [task_line("a", 1, "Which town?"), task_line("b", 1, "Which river?")]
    second = [task_line("c", 2, "Whose town?", "a", "harder"), task_line("d", 2, "When?", "a")]
    third = [task_line("e", 3, "Since when?", "d", "easier")]
    folder = make_run([solved(1)], tasks=(first, second, third))
    html = lineage_section(read_lineage(folder))
    assert "Which town? (4 questions)" in html and "Which river?" not in html
    inside = html[html.index("When?") :]
    assert inside.index("<ul>") < inside.index("Since when?") < inside.index("</ul>")
    page = check(write_report(folder))
    assert "Where the tasks of a round come from" in page.text


def test_a_parent_that_is_not_older_is_no_parent(make_run):
    tasks = [task_line("a", 1, "Which?", "a"), task_line("b", 1, "Whose?", "c")]
    found = read_lineage(make_run([], tasks=[[*tasks, task_line("c", 1, "When?", "b")]]))
    assert [task.parent for task in found] == [None, None, "b"]


def test_a_long_line_of_ancestors_is_cut(make_run):
    rounds = [[task_line(f"t{at}", at, f"Question {at}?", f"t{at - 1}")] for at in range(1, 200)]
    html = lineage_section(read_lineage(make_run([], tasks=rounds)))
    assert html.count("<ul") == html.count("</ul>") and html.count("<li>") == html.count("</li>")
    assert "and 139 more" in html
