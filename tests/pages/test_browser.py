"""The site and the pictures in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import jax.numpy as jnp
import pytest
from flax import nnx

from scripts.site import browser
from scripts.site.browser import Tab
from typedstate import explain, show
from typedstate.layers import LinearState

pytestmark = pytest.mark.slow

HOSTILE = (
    "<script>document.title='owned'</script>",
    '"><img src=x onerror="document.title=\'owned\'">',
    "</style></summary></details><svg onload=\"document.title='owned'\">",
)
SCHEME = "document.body.getAttribute('data-md-color-scheme')"


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    with browser.served(site) as found:
        yield found


def test_navigation(tab: Tab, address: str) -> None:
    tab.open(f"{address}/")
    assert "Five minutes" in tab.run("document.querySelector('h1').innerText")
    links = tab.run("[...document.querySelectorAll('.md-tabs__link')].map(x => x.innerText.trim())")
    assert links == [
        *("Start", "Guides", "Ideas", "Errors", "Reference"),
        *("Questions", "Compared", "Leaves", "Changelog"),
    ]
    tab.run("[...document.querySelectorAll('.md-tabs__link')][3].click()")
    tab.until("document.readyState == 'complete' && location.pathname == '/errors/'")
    assert tab.run("!!document.getElementById('dim')")
    hosts = {url.split("/")[2] for url in tab.asked if url.startswith("http")}
    assert hosts == {address.split("/")[2]}


def test_search_finds_the_entry_of_a_code(tab: Tab, address: str) -> None:
    tab.open(f"{address}/")
    tab.run("document.querySelector('label[for=__search]').click()")
    tab.run(
        "(() => { const x = document.querySelector('.md-search__input'); x.focus();"
        " x.value = 'Scoped teacher'; x.dispatchEvent(new Event('input', {bubbles: true}));"
        " x.dispatchEvent(new KeyboardEvent('keyup', {bubbles: true})) })()"
    )
    found = tab.until(
        "[...document.querySelectorAll('.md-search-result__link')].map(x => x.href).join(' ')"
    )
    assert "/ideas/dims/" in found or "/reference/forms/" in found


def test_code_is_copied(tab: Tab, address: str) -> None:
    tab.call("Browser.grantPermissions", permissions=["clipboardReadWrite"])
    tab.open(f"{address}/")
    button = "document.querySelector('.md-code__button[title^=Copy], .md-clipboard')"
    tab.until(f"!!{button}")
    tab.run(
        "window.copied = ''; document.addEventListener('copy', e => {"
        " window.copied = document.getSelection().toString() || e.target.value || 'something' });"
        " navigator.clipboard.writeText = async text => { window.copied = text }"
    )
    tab.run(f"{button}.click()")
    assert "python3 -m venv" in tab.until("window.copied")


def test_dark_and_light(tab: Tab, address: str) -> None:
    def ground() -> str:
        found: str = tab.run("getComputedStyle(document.body).backgroundColor")
        return found

    tab.screen(1280, 900, scheme="light")
    tab.open(f"{address}/")
    assert tab.until(SCHEME) == "default"
    light = ground()
    tab.screen(1280, 900, scheme="dark")  # the system's evening, seen at once and on the next page
    tab.until(f"{SCHEME} == 'slate'")
    tab.open(f"{address}/questions/")
    assert tab.until(SCHEME) == "slate"
    dark = ground()
    assert dark != light
    tab.run("document.querySelector('label[title=\"Switch to light\"]').click()")
    tab.until(f"{SCHEME} == 'default'")
    assert ground() == light
    tab.run("document.querySelector('label[title=\"Switch to dark\"]').click()")
    tab.until(f"{SCHEME} == 'slate'")
    assert ground() == dark


@pytest.mark.parametrize(
    "page", ["", "errors/", "ideas/forms/", "compared/", "reference/checking/"]
)
def test_a_phone_needs_no_sideways_scrolling(tab: Tab, address: str, page: str) -> None:
    tab.call(
        "Emulation.setDeviceMetricsOverride",
        width=375, height=700, deviceScaleFactor=2, mobile=True,
    )  # fmt: skip
    tab.open(f"{address}/{page}")
    assert tab.run("document.documentElement.scrollWidth") <= 375
    assert tab.run("getComputedStyle(document.querySelector('label[for=__drawer]')).display") != (
        "none"
    )


def test_a_picture_below_the_screen_is_drawn(tab: Tab, address: str) -> None:
    tab.screen(1280, 300)
    tab.open(f"{address}/guides/notebooks/")
    skipped = tab.run(
        "[...document.querySelectorAll('.drawn')].flatMap(x => [...x.shadowRoot.querySelectorAll("
        "'.leaf')]).filter(x => !x.checkVisibility({contentVisibilityAuto: true})).length"
    )
    assert skipped == 0


CONTRASTS = """(() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const light = color => {
    canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
    const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map(x => x / 255)
      .map(x => x <= 0.03928 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = light(getComputedStyle(document.body).backgroundColor);
  for (let hue = 0; hue < 10; hue++) {
    const sample = document.createElement('span');
    sample.className = `d d${hue}`;
    document.querySelector('.drawn').shadowRoot.querySelector('.typedstate').append(sample);
  }
  const found = [...document.querySelectorAll('.drawn')].flatMap(drawn =>
    [...drawn.shadowRoot.querySelectorAll('.d, .actual, .expected, .wrong > b')]);
  return found.map(one => {
    const [a, b] = [light(getComputedStyle(one).color), ground].sort((x, y) => y - x);
    return [one.className, (a + 0.05) / (b + 0.05)];
  });
})()"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pictures_on_a_page_are_legible(tab: Tab, address: str, scheme: str) -> None:
    tab.screen(1280, 900, scheme=scheme)
    tab.open(f"{address}/ideas/dims/")
    tab.until(f"{SCHEME} == '{'slate' if scheme == 'dark' else 'default'}'")
    found = dict(map(tuple, tab.run(CONTRASTS)))
    assert {"expected", "actual", *(f"d d{hue}" for hue in range(10))} <= set(found)
    assert {name: ratio for name, ratio in found.items() if ratio < 4.5} == {}


def test_a_page_has_the_pictures_that_it_speaks_of(tab: Tab, address: str) -> None:
    tab.open(f"{address}/guides/notebooks/")
    drawn = "[...document.querySelectorAll('.drawn')].map(x => x.shadowRoot.textContent)"
    state, report = tab.run(drawn)
    assert "does not fit ModelState: 2 violations" in state
    assert "found dout is 6" in report
    terminals = tab.run("[...document.querySelectorAll('.terminal')].map(x => x.innerText)")
    assert [text.splitlines()[0] for text in terminals] == [
        "ModelState: 4 leaves",
        "does not fit ModelState: 2 violations",
    ]


def test_a_long_report_is_read_without_scrolling(tab: Tab, address: str) -> None:
    tab.screen(1280, 900)
    tab.open(f"{address}/errors/")
    hidden = tab.run(
        "[...document.querySelectorAll('.language-text pre > code')]"
        ".filter(x => x.scrollWidth > x.clientWidth).map(x => x.innerText)"
    )
    assert hidden == []
    assert tab.run("document.querySelectorAll('.language-text pre > code').length") > 20


def opened(tab: Tab, folder: Path, text: str) -> None:
    (folder / "picture.html").write_text(text)
    tab.open((folder / "picture.html").as_uri())


def test_hostile_keys_stay_text(tab: Tab, tmp_path: Path) -> None:
    tree = {key: {key: nnx.Param(jnp.ones(1))} for key in HOSTILE}
    for text in (show(tree, LinearState).to_html(), explain(tree, LinearState).to_html()):
        opened(tab, tmp_path, text)
        assert "owned" not in tab.run("document.title")
        assert tab.run("document.querySelectorAll('script, img, svg, iframe').length") == 0
        assert HOSTILE[0] in tab.run("document.body.innerText")
