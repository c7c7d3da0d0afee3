"""The report in a real Chromium: loads nothing, finds, opens, by hand and by keys.

    pytest -m browser

The browser is ``ASL_BROWSER``, or the first Chromium or Chrome on the path.
"""

import os
import re
import shutil

import pytest
from reportkit import EVIL, asked, judged, solved, task_line

from asl_env.agents.report.write import write_report

pytestmark = pytest.mark.browser

NAMES = ("chromium-headless-shell", "chromium", "google-chrome", "google-chrome-stable")
#: Milliseconds that a busy machine may take for anything.
PATIENCE = 600_000


@pytest.fixture(scope="module")
def chromium():
    from playwright.sync_api import sync_playwright

    found = os.environ.get("ASL_BROWSER") or next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.fail("no browser: apt-get install chromium-headless-shell, or set ASL_BROWSER")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found, timeout=PATIENCE)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium):
    """Opens a report; in the end nothing was loaded or complained of."""
    told, contexts = [], []

    def open_page(path, anchor="", **options):
        context = chromium.new_context(**options)
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: told.append(message.text))
        page.on("pageerror", lambda error: told.append(str(error)))
        page.on("request", lambda request: told.append(request.url))
        page.goto(path.resolve().as_uri() + anchor)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert [one for one in told if not one.startswith("file:") or "report.html" not in one] == []


@pytest.fixture
def report(make_run):
    tasks = (
        [task_line("r1-t0", 1, "Which town is number 0?")],
        [task_line("r2-t0", 2, "Whose town is it?", "r1-t0", "harder")],
    )
    played = [*(solved(number) for number in range(8)), asked("r1-t0"), judged(), solved(9, EVIL)]
    return write_report(make_run(played, tasks=tasks))


def counted(page, text):
    """Waits for a count; the page's policy forbids waiting by an expression."""
    page.locator("#count", has_text=re.compile(f"^{re.escape(text)}$")).wait_for()


def control(page, name):
    return page.locator(f"#filters [name={name}]")


def test_finding(visit, report):
    page = visit(report)
    counted(page, "11 of 11 episodes")
    control(page, "words").fill('"number 3"')
    counted(page, "1 of 11 episodes")
    control(page, "words").fill("id:r1-t0")
    counted(page, "2 of 11 episodes")
    page.get_by_role("button", name="Clear").click()
    counted(page, "11 of 11 episodes")
    control(page, "seat").select_option("policy")
    counted(page, "9 of 11 episodes")
    control(page, "measure").select_option("verdict")
    control(page, "low").fill("0.45")
    counted(page, "4 of 11 episodes")
    control(page, "order").select_option("down")
    page.locator("#row0", has_text="number 9").wait_for()


def test_finding_in_everything_said(visit, report):
    page = visit(report)
    control(page, "words").fill("capital of norway")
    counted(page, "0 of 11 episodes")
    control(page, "where").select_option("all")
    counted(page, "9 of 11 episodes")


def test_an_episode_is_opened_and_left_by_keys(visit, report):
    page = visit(report)
    counted(page, "11 of 11 episodes")
    page.get_by_role("listbox", name="Episodes").focus()
    page.keyboard.press("ArrowDown")
    assert page.get_attribute("#list", "aria-activedescendant") == "row1"
    page.keyboard.press("Enter")
    page.locator("#episode:focus").wait_for()
    shown = page.inner_text("#episode")
    for said in ("Which town is number 1?", "searches for “capital”", "Oslo is the capital",
                 "verdict", "System message", "(3 tokens)"):  # fmt: skip
        assert said in shown
    assert page.url.endswith("#episode-2")
    page.keyboard.press("Escape")
    page.locator("#list:focus").wait_for()


def test_lineage_and_solves_are_shown_with_the_question(visit, report):
    page = visit(report, "#episode-9")
    page.wait_for_selector("#episode .tree")
    assert "Which town is number 0?" in page.inner_text("#episode .tree")
    assert "correct" in page.inner_text("#episode table:has-text('solves')")
    page.locator("#episode .tree button").first.click()
    counted(page, "2 of 11 episodes")


def test_what_a_model_wrote_stays_text(visit, report):
    page = visit(report, "#episode-11")
    page.wait_for_selector("#episode .turn")
    assert EVIL in page.inner_text("#episode")
    assert page.evaluate("document.querySelectorAll('#browser script, #browser img').length") == 0


def test_text_cannot_be_made_markup(chromium, report):
    page = chromium.new_page()  # not by ``visit``: the browser complains, as it should
    page.goto(report.resolve().as_uri())
    with pytest.raises(Exception, match="TrustedHTML"):
        page.evaluate("document.body.innerHTML = '<b>x</b>'")
    page.close()


def test_only_rows_in_sight_are_in_the_document(visit, make_run):
    page = visit(write_report(make_run(solved(number) for number in range(3_000))))
    counted(page, "3,000 of 3,000 episodes")
    page.get_by_role("listbox", name="Episodes").focus()
    page.keyboard.press("End")
    page.wait_for_selector("#row2999")
    assert page.locator(".row").count() < 60
    page.keyboard.press("Enter")
    page.wait_for_selector("#episode h3:has-text('number 2999')")


def test_without_a_script_curves_tables_and_samples_are_there(visit, report):
    page = visit(report, java_script_enabled=False)
    assert page.locator("noscript p").is_visible()
    assert page.locator("#samples summary").first.is_visible()
    assert page.get_by_text("Where the tasks of a round come from").is_visible()
    assert not page.locator("#browser").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_control_has_a_name_and_text_stands_out(visit, report, scheme):
    page = visit(report, "#episode-9", color_scheme=scheme, viewport={"width": 360, "height": 700})
    page.wait_for_selector("#episode .turn")
    unnamed = "[...document.querySelectorAll('input, select')].filter(c => !c.labels.length).length"
    assert page.evaluate(unnamed) == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    for name in ("ink", "soft", "c0", "c1", "c2", "c3", "c4", "c5"):
        assert page.evaluate(CONTRAST, name) >= 4.5, name


#: Contrast ratio of a colour of the page to its background (WCAG 2.2, success criterion 1.4.3).
CONTRAST = """name => {
  const style = getComputedStyle(document.documentElement);
  const light = (variable) => {
    const text = style.getPropertyValue(variable).trim();
    const parts = [1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16) / 255);
    const [r, g, b] = parts.map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const [one, two] = [light(`--${name}`), light("--page")].sort((a, b) => b - a);
  return (one + 0.05) / (two + 0.05);
}"""
