"""The pages in a real browser: light and dark, on a phone and on a desk; nothing is fetched, nothing breaks."""

import base64

import browser as browsers
import pytest
import small_report

from ceas_physics.claims import page as claims_page

pytestmark = pytest.mark.skipif(browsers.PROGRAM is None, reason="chromium is not installed: apt-get install chromium")
PAGES = ("report", "claims")
WIDTHS = (400, 1400)
OPEN_ALL = "document.querySelectorAll('details').forEach(part => part.open = true)"
IMAGES = """[...document.images].map(image => {const r = image.getBoundingClientRect(); return {alt: image.alt,
 natural: image.naturalWidth * image.naturalHeight, width: r.width, height: r.height, left: r.left, right: r.right}})"""
COLUMN = "[...document.querySelector('#%s').tBodies[0].rows].map(row => row.cells[%d].dataset.value)"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("pages")
    small_report.write(out)
    (out / "claims.html").write_text(claims_page.html(small_report.results().ledger), encoding="utf-8")
    return out


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with browsers.Browser(tmp_path_factory.mktemp("profile")) as started:
        yield started


def faults(browser, url, width):
    """What is wrong with the open page."""
    browser.evaluate(OPEN_ALL)
    images = browser.evaluate(IMAGES)
    found = browser.complaints()
    found += [f"asked for {each}" for each in browser.requests() if not each.startswith("data:") and each != url]
    found += [f"picture not loaded: {image['alt']}" for image in images if image["natural"] == 0]
    found += [f"picture not visible: {image['alt']}" for image in images if image["width"] < 50 or image["height"] < 50]
    found += [f"picture beyond the page: {image['alt']}" for image in images if image["right"] > width]
    found += ["picture without words" for image in images if len(image["alt"]) < 10]
    wide = browser.evaluate("document.documentElement.scrollWidth")
    return found + ([f"page {wide} pixels wide"] if wide > width else [])


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", PAGES)
def test_page_is_whole(name, width, dark, folder, browser):
    url = (folder / f"{name}.html").as_uri()
    browser.open(url, width, dark)
    assert browser.evaluate("document.images.length") >= (19 if name == "report" else 1)
    assert faults(browser, url, width) == []
    ground, ink = browser.evaluate(
        "(({backgroundColor: a, color: b}) => [a, b].map(c => c.match(/\\d+/g).slice(0, 3).reduce((x, y) => +x + +y)))"
        "(getComputedStyle(document.body))"
    )
    assert (ground < 100 and ink > 600) if dark else (ground > 700 and ink < 150)


def test_faults_are_seen(tmp_path, browser):
    """The negative control: a page with one fault of each kind."""
    bad = tmp_path / "bad.html"
    bad.write_text(
        '<img src="data:image/png;base64,AAAA" alt="a picture that is broken"><img src="missing.png" alt="">'
        '<div style="width:3000px">wide</div><script>console.error("broken"); undefinedFunction()</script>'
    )
    browser.open(bad.as_uri(), 400)
    found = "\n".join(faults(browser, bad.as_uri(), 400))
    for fault in (
        '"value": "broken"',
        "undefinedFunction",
        "asked for file",
        "not loaded",
        "without words",
        "pixels wide",
    ):
        assert fault in found


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(
    ("name", "table", "column"), [("report", "systems-table", 2), ("claims", "ledger", 2), ("claims", "ledger", 3)]
)
def test_table_sorts_when_its_heading_is_pressed(name, table, column, width, folder, browser):
    browser.open((folder / f"{name}.html").as_uri(), width)
    before = browser.evaluate(COLUMN % (table, column))
    for direction, sign in (("ascending", 1), ("descending", -1)):
        browser.click(f"document.querySelectorAll('#{table} th button')[{column}]")
        heading = f"document.querySelectorAll('#{table} th')[{column}].getAttribute('aria-sort')"
        assert browser.evaluate(heading) == direction
        after = browser.evaluate(COLUMN % (table, column))
        known = [float(value) for value in after if value]
        assert known == sorted(known, reverse=sign < 0)
        assert all(value == "" for value in after[len(known) :])
        assert sorted(after) == sorted(before)
    assert len(set(known)) > 1


def test_words_sort_as_words(folder, browser):
    browser.open((folder / "report.html").as_uri())
    browser.click("document.querySelectorAll('#ledger th button')[1]")
    found = browser.evaluate("[...document.querySelector('#ledger').tBodies[0].rows].map(r => r.cells[1].textContent)")
    assert found == sorted(found)
    assert len(set(found)) > 1


@pytest.mark.parametrize("width", WIDTHS)
def test_a_verdict_leads_to_what_it_rests_on(width, folder, browser):
    browser.open((folder / "report.html").as_uri(), width)
    browser.click("document.querySelector('#ledger a[href=\"#C1\"]')")
    seen = browser.evaluate(
        "new Promise(done => setTimeout(() => {const r = document.querySelector('#C1').getBoundingClientRect();"
        "done([r.height, r.top])}, 100))"
    )
    assert seen[0] > 100
    assert -1 <= seen[1] < 900
    assert "def example" in browser.evaluate("document.querySelector('#C1 pre').textContent")


def test_on_paper_a_dark_page_is_light_and_whole(folder, browser):
    browser.open((folder / "report.html").as_uri(), dark=True)
    scheme = {"name": "prefers-color-scheme", "value": "dark"}
    browser.call("Emulation.setEmulatedMedia", media="print", features=[scheme])
    assert browser.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert browser.evaluate("getComputedStyle(document.querySelector('img.drawn')).filter") == "none"
    document = base64.b64decode(browser.call("Page.printToPDF")["data"])
    assert document.startswith(b"%PDF")
    assert browser.evaluate("[...document.querySelectorAll('details')].every(part => part.open)")
