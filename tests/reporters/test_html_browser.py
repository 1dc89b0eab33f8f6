"""The report in a real browser: it opens without errors or requests, sorts, filters and searches."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from runner.config.load import load
from runner.diagnostics import Source
from runner.model import Outcome, Scalar, Session
from runner.plan.plan import Plan
from runner.reporters.html import bundle
from runner.reporters.html.page import render
from runner.reporters.html.report import read_report
from runner.state import open_for_reading
from runner.units import format_duration, format_memory
from tests.browser import Page, browse, installed
from tests.journalled import BEGIN, Ending, record_apply

pytestmark = pytest.mark.browser

SHOT = os.environ.get("RUNNER_TEST_SCREENSHOTS")
"""A folder for a screenshot of every test."""


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    """A browser; without one the tests are skipped, in CI they fail."""
    program = installed()
    if program is None:
        reason = "no Chromium on this machine; `apt install chromium` brings one"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with browse(program) as opened:
        yield opened


@pytest.fixture(scope="module")
def script() -> str:
    found = bundle.script()
    assert found is not None
    return found


Open = Callable[..., Page]


@pytest.fixture
def show(page: Page, script: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Open]:
    """Open the report of a made-up apply; afterwards, the page must have neither errors nor requests."""

    def opened(
        text: str,
        tell: Callable[[Session], Ending | None],
        width: int = 1280,
        scheme: str = "light",
        *,
        plots: bool = True,
    ) -> Page:
        plan = Plan.of(load(Source("sweep.yaml", text), tmp_path))
        record_apply(plan, tmp_path, tell)
        with open_for_reading(tmp_path, plan.sweep.name) as state:
            report = read_report(plan, state, "sweep.yaml", None, BEGIN + 1000, "0.1.0")
        file = tmp_path / "report.html"
        file.write_text(render(report, script if plots else None), encoding="utf-8")
        page.errors.clear()
        page.requests.clear()
        page.size(width, 900, phone=width < 600)
        page.prefer(scheme)
        page.open(file)
        return page

    yield opened
    if SHOT:
        page.screenshot(Path(SHOT, f"{request.node.name}.png"))
    assert page.errors == []
    assert [url for url in page.requests if not url.startswith("blob:")] == [(tmp_path / "report.html").as_uri()]


GRID = """\
exec: ['true', $lr, $opt]
ranges: {lr: [0.001, 0.01, 0.1], opt: [adam, sgd]}
repeat: 2
metrics: {loss: {last_line: l}}
"""


PLAIN = "exec: ['true', $k]\nranges: {k: 'range:6'}\nmetrics: {loss: {last_line: l}}\n"


def outcome_of(session: Session) -> Ending | None:
    """One session that failed, one that never ran, one whose metric is text; the others have a loss by index."""
    match session.index:
        case 3:
            return Ending(Outcome.FAILED, 1, "exit code 1", {"loss": None}, "Traceback\nno <b>data</b> at 0x1f\n", 75.0)
        case 5:
            return None
        case 7:
            return Ending(metrics={"loss": "nan"})
    return Ending(metrics={"loss": 10 - session.index}, duration=0.31 * session.index)


def column(page: Page, name: str) -> list[str]:
    """The cells of a column, as the table shows them."""
    script = (
        "(name => { const names = [...document.querySelectorAll('#table thead tr:first-child button')]"
        ".map(button => button.firstChild.data);"
        "const at = names.indexOf(name); return [...document.querySelectorAll('#table tbody tr[data-row]')]"
        f".map(row => row.children[at].textContent.trim()); }})({json.dumps(name)})"
    )
    return list(page.run(script))


def heading(name: str) -> str:
    return f"[...document.querySelectorAll('#table thead button')].find(b => b.firstChild.data === {json.dumps(name)})"


def fill(page: Page, selector: str, text: str) -> None:
    """Type into a field."""
    page.run(
        f"(field => {{ field.value = {json.dumps(text)}; field.dispatchEvent(new Event('input')); }})"
        f"(document.querySelector({json.dumps(selector)}))"
    )


def shown(page: Page) -> str:
    return str(page.run("document.getElementById('shown').textContent"))


def test_click_sorts_and_missing_values_come_last(show: Open) -> None:
    page = show(GRID, outcome_of)
    assert column(page, "loss") == ["10", "9", "8", "–", "6", "–", "4", "nan", "2", "1", "0", "-1"]
    page.run(f"{heading('loss')}.click()")
    assert column(page, "loss") == ["-1", "0", "1", "2", "4", "6", "8", "9", "10", "nan", "–", "–"]
    assert page.run(f"{heading('loss')}.closest('th').getAttribute('aria-sort')") == "ascending"
    page.run(f"{heading('loss')}.click()")
    assert column(page, "loss") == ["10", "9", "8", "6", "4", "2", "1", "0", "-1", "nan", "–", "–"]
    assert page.run(f"{heading('loss')}.closest('th').getAttribute('aria-sort')") == "descending"


def test_values_are_formatted_as_on_terminal(show: Open) -> None:
    page = show(GRID, outcome_of)
    durations = [found.duration for index in range(12) if (found := outcome_of(_at(index)))]
    assert [cell for cell in column(page, "duration") if cell != "–"] == list(map(format_duration, durations))
    assert set(column(page, "max_rss")) == {format_memory(40 << 20), "–"}
    assert column(page, "lr")[::4] == ["0.001", "0.01", "0.1"]


def test_dash_and_empty_text_differ_from_missing_value(show: Open) -> None:
    text = "exec: ['true', $x]\nranges: {x: ['-', '', a]}\nmetrics: {m: {last_line: m}}\n"
    said = {0: "-", 1: "", 2: None}
    page = show(text, lambda session: Ending(metrics={"m": said[session.index]}))
    assert column(page, "x") == ["'-'", "''", "a"]
    assert column(page, "m") == ["'-'", "''", "–"]
    page.run(f"{heading('m')}.click()")
    page.run(f"{heading('m')}.click()")
    assert column(page, "m") == ["'-'", "''", "–"]


def _at(index: int) -> Session:
    return Session(index, "", "", 0, {}, None, {}, None, ".", None, {})


def test_filters_and_search_narrow_table(show: Open) -> None:
    page = show(GRID, outcome_of)
    fill(page, "input[aria-label='filter by loss']", ">=9")
    page.wait("document.getElementById('shown').textContent.startsWith('2 of')")
    assert column(page, "loss") == ["10", "9"]
    fill(page, "input[aria-label='filter by loss']", "1..4")
    page.wait("document.getElementById('shown').textContent === '3 of 12 sessions'")
    assert column(page, "loss") == ["4", "2", "1"]
    page.run("document.getElementById('clear').click()")
    assert shown(page) == "12 sessions"
    page.run(
        "(s => { s.value = [...s.options].find(o => o.text === 'failed').value; s.dispatchEvent(new Event('change')); })"
        "(document.querySelector(\"select[aria-label='filter by status']\"))"
    )
    assert (column(page, "status"), shown(page)) == (["✗ failed"], "1 of 12 sessions")
    page.run("document.getElementById('clear').click()")
    fill(page, "#search", "opt=SGD lr=0.01")
    page.wait("document.getElementById('shown').textContent.startsWith('2 of')")
    assert set(column(page, "opt")) == {"sgd"}
    fill(page, "#search", "nothing like it")
    page.wait("document.querySelector('#table tbody').textContent === 'No session matches.'")


def test_large_integer_keeps_its_digits(show: Open) -> None:
    said = [2**53 + 1, -(2**63), 7, 10**400, 2**53, None]
    page = show(PLAIN, lambda session: Ending(metrics={"loss": said[session.index]}))
    assert column(page, "loss") == ["9007199254740993", "-9223372036854775808", "7", "1" + "0" * 400, str(2**53), "–"]
    assert page.run("document.querySelectorAll('#table [title=\\'not a number\\']').length") == 1
    page.run(f"{heading('loss')}.click()")
    assert column(page, "loss")[:3] == ["-9223372036854775808", "7", "9007199254740993"]
    fill(page, "input[aria-label='filter by loss']", ">8")
    page.wait("document.getElementById('shown').textContent === '2 of 6 sessions'")


def test_half_is_rounded_as_on_terminal(show: Open) -> None:
    durations, sizes = [0.0125, 3.25, 60.5, 5430, 1.75, 0.5], [53, 55, 4096, 4098, 51, 1]
    page = show(PLAIN, lambda at: Ending(duration=durations[at.index], max_rss=sizes[at.index] << 18))
    assert column(page, "duration") == list(map(format_duration, durations))
    assert column(page, "max_rss") == [format_memory(size << 18) for size in sizes]


MEGABYTES = (512, 13, 40, 41, 700, 3000)


def sized(session: Session) -> Ending:
    return Ending(duration=(0.3, 0.7, 0.71, 5, 245, 7300)[session.index], max_rss=MEGABYTES[session.index] << 20)


@pytest.mark.parametrize(
    ("name", "wanted", "rows"),
    [
        ("duration", ">700ms", 4),
        ("duration", ">=700ms", 5),
        ("duration", ">1s", 3),
        ("duration", "= 4m 05s", 1),
        ("duration", "<4m 06s", 5),
        ("duration", "1m..3h", 2),
        ("duration", "0.5..1", 2),
        ("duration", "..0.5", 1),
        ("duration", "5 ..", 3),
        ("max_rss", ">13MiB", 5),
        ("max_rss", ">= 1 GiB", 1),
        ("max_rss", "<=41943040", 2),
        ("max_rss", "40m..0.5g", 3),
        ("max_rss", "=700 MiB", 1),
        ("max_rss", "mib", 5),
        ("loss", "-1.5e0..-1", 2),
        ("loss", "!=0", 5),
    ],
)
def test_filter_accepts_units_of_cells(show: Open, name: str, wanted: str, rows: int) -> None:
    page = show(PLAIN, lambda session: replace(sized(session), metrics={"loss": session.index * -0.5}))
    fill(page, f"input[aria-label='filter by {name}']", wanted)
    page.wait(f"document.getElementById('shown').textContent === '{rows} of 6 sessions'")
    assert page.run("document.querySelectorAll('#table [aria-invalid]').length") == 0


def test_invalid_filter_is_marked_and_ignored(show: Open) -> None:
    page = show(PLAIN, sized)
    for wanted in (">abc", ">", "..", "1..x", "<3 parsecs", ">1MiB"):
        fill(page, "input[aria-label='filter by duration']", "<1")
        page.wait("document.getElementById('shown').textContent === '3 of 6 sessions'")
        fill(page, "input[aria-label='filter by duration']", wanted)
        page.wait("document.querySelector('#table input[aria-invalid=true]') !== null")
        assert shown(page) == "6 sessions; not a valid filter: duration"
    page.run("document.getElementById('clear').click()")
    assert (page.run("document.querySelectorAll('#table [aria-invalid]').length"), shown(page)) == (0, "6 sessions")


def test_table_rounds_to_six_digits_and_shows_all_on_hover(show: Open) -> None:
    page = show(PLAIN, lambda session: Ending(metrics={"loss": (0.039398183641064205, 1234567)[session.index % 2]}))
    assert column(page, "loss")[:2] == ["0.0393982", "1234567"]
    assert page.run("document.querySelectorAll('td[title=\"0.039398183641064205\"]').length") == 3


def test_page_without_plots_works(show: Open) -> None:
    page = show(GRID, outcome_of, plots=False)
    page.run(f"{heading('loss')}.click()")
    assert column(page, "loss")[0] == "-1"
    assert page.run("document.querySelectorAll('canvas, #metric').length") == 0
    page.run("document.getElementById('theme').click()")
    assert "pip install vl-convert-python" in page.run("document.querySelector('#plot').innerText")


def test_cause_button_shows_its_sessions(show: Open) -> None:
    page = show(GRID, outcome_of)
    assert "no <b>data</b> at 0x1f" in page.run("document.querySelector('#failures').innerText")
    page.run("document.querySelector('button[data-cause=\"0\"]').click()")
    assert (column(page, "status"), shown(page)) == (["✗ failed"], "1 of 12 sessions, of cause 1")
    page.run("document.querySelector('#table tbody button').click()")
    detail = page.run("document.querySelector('#table .detail').innerText")
    assert "lr=0.001 opt=sgd repeat=1" in detail
    assert "exit code 1" in detail
    assert "runner logs sweep.yaml" in detail


OWN = "document.title='owned'"
HOSTILE = f"</script><script>{OWN}</script><img src='http://127.0.0.1:9/x.png' onerror=\"{OWN}\">"


def test_output_of_sessions_is_shown_as_text(show: Open) -> None:
    """In the table, tooltips, legend, log and details; also the names of metrics."""
    text = json.dumps(
        {
            "exec": ["true", "$x", "$seed"],
            "ranges": {"x": [HOSTILE, "b"], "seed": [1, 2, 3]},
            "metrics": {
                "image": {"last_line": "m"},
                "__proto__": {"last_line": "m"},
                "<b>q'\"</b>": {"last_line": "m"},
            },
        }
    )

    def tell(session: Session) -> Ending:
        metrics: dict[str, Scalar] = {"image": session.index, "__proto__": HOSTILE, "<b>q'\"</b>": -session.index}
        return Ending(Outcome.FAILED, 3, HOSTILE, metrics, f"log\n{HOSTILE}\n")

    page = show(text, tell)
    page.run("document.querySelector('#table tbody button').click()")
    for name, measured in (("image", ""), ("<b>q'\"</b>", ""), ("duration", " (wall time)")):
        page.run(
            f"(s => {{ s.value = [...s.options].find(o => o.text === {json.dumps(name + measured)}).value;"
            " s.dispatchEvent(new Event('change')); })(document.getElementById('metric'))"
        )
        page.wait(f"document.getElementById('chart').getAttribute('aria-label').includes({json.dumps(name)})")
    for element in ("chart", "gantt"):
        seen = _tooltips(page, element)
        assert any(HOSTILE[:20] in tip for tip in seen), seen
    assert page.run("document.title") == "sweep · runner"
    assert page.run("document.querySelectorAll('img').length") == 0
    assert HOSTILE in page.run("document.querySelector('#failures pre').textContent")
    assert HOSTILE in column(page, "x")


def _bounds(page: Page, element: str) -> tuple[float, float, float, float]:
    """Scroll to a plot; return its left, top, width and height in the window."""
    found = page.run(
        f"(() => {{ const e = document.getElementById('{element}'); e.scrollIntoView({{block: 'center'}});"
        " const r = e.getBoundingClientRect(); return [r.x, r.y, r.width, r.height]; })()"
    )
    return tuple(found)


def _tooltips(page: Page, element: str) -> set[str]:
    """The texts of the tooltips over a grid of points of a plot."""
    x, y, width, height = _bounds(page, element)
    seen = set()
    for across in range(5, 100, 10):
        for down in range(2, 100, 3):
            page.hover(x + width * across / 100, y + height * down / 100)
            seen.add(str(page.run("(t => t.hidden ? '' : t.textContent)(document.getElementById('tip'))")))
    return seen


def test_dragging_zooms_timeline(show: Open) -> None:
    page = show(GRID, outcome_of)
    x, y, width, height = _bounds(page, "gantt")
    before = page.run("document.querySelector('#gantt canvas').toDataURL()")
    page.drag(x + width / 2, y + height - 90, 100)
    page.wait(f"document.querySelector('#gantt canvas').toDataURL() !== {json.dumps(before)}")
    assert any("session" in tip for tip in _tooltips(page, "gantt"))
    page.run("document.activeElement.blur()")


def test_ten_thousand_rows_are_paged(show: Open) -> None:
    """The page holds only the rows that are shown."""
    text = "exec: ['true', $x, $y]\nranges: {x: 'range:100', y: 'range:100'}\nmetrics: {loss: {last_line: l}}\n"
    page = show(text, lambda session: Ending(metrics={"loss": (session.index * 7919) % 10_000}))
    assert shown(page) == "10,000 sessions"
    took = page.run(
        f"(() => {{ const begin = performance.now(); {heading('loss')}.click(); return performance.now() - begin; }})()"
    )
    print(f"10,000 rows sorted and drawn in {took:.0f} ms")
    assert column(page, "loss") == [str(number) for number in range(100)]
    assert page.run("document.querySelectorAll('#table tbody tr').length") == 100
    page.run("[...document.querySelectorAll('#pages button')].at(-1).click()")
    assert column(page, "loss") == [str(number) for number in range(100, 200)]
    fill(page, "#search", "y=77")
    page.wait("document.getElementById('shown').textContent === '100 of 10,000 sessions'")
    assert set(column(page, "y")) == {"77"}


def test_keyboard_reaches_everything(show: Open) -> None:
    page = show(GRID, outcome_of)
    page.run("document.querySelector('#table thead button').focus()")
    page.press("Tab")
    assert page.run("document.activeElement.firstChild.data") == "lr"
    page.press("Enter")
    page.press("Enter")
    assert column(page, "lr")[0] == "0.1"
    page.run("document.querySelector('#table tbody button').focus()")
    page.press("Enter")
    assert page.run("document.activeElement.getAttribute('aria-expanded')") == "true"
    page.press(" ")
    assert page.run("document.querySelectorAll('#table .detail').length") == 0
    page.run("document.activeElement.blur(); window.scrollTo(0, 0)")


def test_every_control_has_an_accessible_name(show: Open) -> None:
    page = show(GRID, outcome_of)
    nodes = page.call("Accessibility.getFullAXTree")["nodes"]
    by_role: dict[str, list[str]] = {}
    for node in nodes:
        if not node.get("ignored"):
            by_role.setdefault(node["role"]["value"], []).append(node.get("name", {}).get("value", ""))
    for role in ("button", "combobox", "textbox", "searchbox", "region", "image", "link", "table"):
        assert by_role[role], role
        assert all(by_role[role]), (role, by_role[role])
    assert by_role["heading"][:3] == ["sweep", "Overview", "Plot"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_phone_does_not_scroll_sideways(show: Open, scheme: str) -> None:
    page = show(GRID, outcome_of, width=390, scheme=scheme)
    assert page.run("document.documentElement.scrollWidth <= innerWidth")
    dark = page.run("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 28)"
    assert dark == (scheme == "dark")
    page.run("document.getElementById('theme').click()")
    assert page.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


@pytest.mark.parametrize(
    ("values", "tiles", "below", "note"),
    [
        ("[7]", ["session 1", "failure 1"], "1 session", ""),
        ("[7, 8, 9]", ["sessions 3", "failures 2"], "3 sessions", "2 of 3 sessions have no number for loss."),
        ("[7, 5, 9]", ["sessions 3", "failure 1"], "3 sessions", "1 of 3 sessions has no number for loss."),
    ],
)
def test_singular_and_plural(show: Open, values: str, tiles: list[str], below: str, note: str) -> None:
    def tell(session: Session) -> Ending:
        failed = session.params["k"].text in ("7", "8")
        return Ending(Outcome.FAILED, 1) if failed else Ending(metrics={"loss": 1})

    page = show(PLAIN.replace("'range:6'", values), tell)
    script = (
        "[...document.querySelectorAll('.tile')].slice(0, 2)"
        ".map(tile => [tile.querySelector('dt'), tile.querySelector('b')].map(part => part.textContent).join(' '))"
    )
    assert (page.run(script), shown(page)) == (tiles, below)
    assert page.run("document.getElementById('chart-note')?.textContent ?? ''") == note


def test_report_before_first_apply(show: Open) -> None:
    page = show(GRID, lambda _: None)
    assert set(column(page, "status")) == {"○ new"}
    assert "No session has a metric with a number yet." in page.run("document.querySelector('#plot').innerText")
    assert "Nothing has started to run yet." in page.run("document.querySelector('#timeline').innerText")


@pytest.mark.parametrize(
    "ranges", ["a: [1, 2, 3]", "a: [x, y], b: [x, y, z]", "a: [1, 2], b: [3, 4]", "a: [1, 2], b: [x, y], c: [3, 4]"]
)
def test_plot_is_drawn(show: Open, ranges: str) -> None:
    names = [part.split(":")[0].split(",")[-1].strip() for part in ranges.split("], ")]
    command = ", ".join(f"${name}" for name in names)
    text = f"exec: ['true', {command}]\nranges: {{{ranges}}}\nrepeat: 2\nmetrics: {{l: {{last_line: l}}}}\n"
    page = show(text, lambda session: Ending(metrics={"l": session.index}))
    script = (
        "(c => { const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; const seen = new Set();"
        " for (let i = 0; i < d.length; i += 4) if (d[i + 3]) seen.add(d[i] << 16 | d[i + 1] << 8 | d[i + 2]);"
        " return seen.size; })"
    )
    for element in ("chart", "gantt"):
        assert page.run(f"{script}(document.querySelector('#{element} canvas'))") > 20
