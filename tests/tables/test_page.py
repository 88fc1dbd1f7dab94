"""Pages of tables: what shares a column or a row, and what fits a window."""

import html
import re
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest

from dynamic_sparsity.tables import page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def headings(text):
    """The headings of each table on a page."""
    return [re.findall(r"<button>(.*?)</button>", table) for table in re.findall(r"<table>.*?</table>", text)]


def shown(text):
    """The words of each row on a page, without markup."""
    rows = re.findall(r"<tr>(<td.*?)</tr>", text)
    return [[html.unescape(re.sub(r"<.*?>", " ", cell)).split() for cell in re.findall("<td.*?</td>", row)] for row in rows]


def test_a_caption_has_a_title_paragraphs_lists_and_code_below_the_table():
    caption = "Title.\n\nA `code` & more,\nwrapped.\n\n- `a`: one,\n  wrapped.\n- b: two."
    text = page.render(pd.DataFrame({"a": [1]}), caption, ["Sentence <1>."])
    assert "<title>Title.</title>" in text and "<h1>Title.</h1>" in text
    assert "<p>A <code>code</code> &amp; more, wrapped.</p>" in text
    assert "<ul><li><code>a</code>: one, wrapped.</li><li>b: two.</li></ul>" in text
    parts = ["<ul><li>Sentence &lt;1&gt;.</li></ul>", "<table>", "What the columns mean"]
    places = [text.index(part) for part in parts]
    assert places == sorted(places)


def test_an_estimate_its_interval_and_its_standard_deviation_share_a_column():
    frame = pd.DataFrame(
        {
            "task": ["A", "B"],
            "rate": [0.5, 0.25],
            "low": [0.4, np.nan],
            "high": [0.6, np.nan],
            "error": [1.0, 2.0],
            "error_low": [0.5, 1.5],
            "error_high": [1.5, 2.5],
            "share_beyond_10": [0.1, 0.2],
            "low_beyond_10": [0.0, 0.1],
            "high_beyond_10": [0.2, 0.3],
            "return": [3, 4],
            "return_std": [0.5, 0.25],
        }
    )
    text = page.render(frame, "Title.")
    assert headings(text) == [["task", "rate", "error", "share beyond 10", "return"]]
    first, second = shown(text)
    assert first == [["A"], ["0.5", "[0.4,", "0.6]"], ["1", "[0.5,", "1.5]"], ["0.1", "[0,", "0.2]"], ["3", "±", "0.5"]]
    assert second[1] == ["0.25"], "no interval is shown where there is none"
    assert '<td data-value="0.25">' in text, "a column is sorted by its estimate"


def test_rows_that_differ_only_in_policy_or_task_are_one():
    rows = [("A", "expert", 1), ("A", "noise", 1), ("B", "expert", 1), ("B", "noise", 2), ("C", "noise", 2)]
    text = page.render(pd.DataFrame(rows, columns=["task", "policy", "zeros"]), "Title.")
    assert [[" ".join(cell) for cell in row] for row in shown(text)] == [
        ["A", "expert, noise", "1"],
        ["B", "expert", "1"],
        ["B, C", "noise", "2"],
    ]


def test_a_long_text_shows_its_first_sentence_and_hides_the_rest():
    words = "Not in any of these tasks. " + "The others are as many words as nobody reads in a table. " * 3
    text = page.render(pd.DataFrame({"task": ["A", "B"], "answer": [words, "word " * 40]}), "Title.")
    assert "<summary>Not in any of these tasks.</summary>The others are" in text
    assert re.search(r"<summary>(word )+…</summary>… word", text)
    assert "<summary>A" not in text


def test_a_wide_table_is_cut_and_each_part_names_its_rows():
    frame = pd.DataFrame({"task": ["A", "B"], "policy": ["x", "y"], **{f"measured_{k}": [k + 0.5, k] for k in range(30)}})
    parts = headings(page.render(frame, "Title."))
    assert len(parts) > 1 and all(part[:2] == ["task", "policy"] for part in parts)
    assert [name for part in parts for name in part[2:]] == [f"measured {k}" for k in range(30)]
    sizes = [len(part) for part in parts]
    assert max(sizes) - min(sizes) <= 2, "no part is left with a column or two"


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt install chromium")
def test_pages_fit_a_window_and_sort_when_a_heading_is_clicked(tmp_path):
    text_columns = {"task": ["SwimmerSwimmer6", "BallInCup", "A"], "why": ["some words " * 60, "w" * 30, "-"]}
    numbers = {f"quite_long_name_{k}": [k / 7, k / 3, np.nan] for k in range(40)}
    text = page.render(pd.DataFrame({**text_columns, "zeros": [10, 9, np.nan], **numbers}), "Title.\n\nExplanation.")
    probe = """<script>
    const click = name => [...document.querySelectorAll("th button")].find(b => b.textContent === name).click();
    const order = () => [...document.querySelector("tbody").rows].map(row => row.cells[0].textContent).join(" ");
    const orders = [order()]; for (const name of ["zeros", "zeros", "task"]) { click(name); orders.push(order()); }
    document.body.dataset.probed = [document.documentElement.scrollWidth, ...orders].join("|");
    </script></body>"""
    path = tmp_path / "page.html"
    path.write_text(text.replace("</body>", probe))
    command = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--window-size=1280,800", "--dump-dom"]
    dom = subprocess.run([*command, path.as_uri()], capture_output=True, text=True, timeout=120).stdout
    probed = re.search(r"data-probed=\"(.*?)\"", dom)
    assert probed
    width, *orders = probed[1].split("|")
    assert int(width) <= 1280
    assert orders == [
        "SwimmerSwimmer6 BallInCup A",
        "BallInCup SwimmerSwimmer6 A",  # a row without a number is last in both directions
        "SwimmerSwimmer6 BallInCup A",
        "A BallInCup SwimmerSwimmer6",
    ]
