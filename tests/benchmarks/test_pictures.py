"""A picture of 10,000 leaves: made in less time than Flax's own text of the state, and opened by a
browser in less than a plain list of the same lines. Times are of the processor, so that what else
runs does not count; on a machine that does nothing else both are well below a second.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import pytest
from flax import nnx

from scripts.site import browser
from typedstate import show

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not hasattr(nnx, "restore_int_paths"), reason="the figures are those of Flax 0.12"
    ),
]

LAYERS = 5000
LINES = (
    "<li>kernel: Param float32[2,2] 4 numbers, 16 B</li>"
    "<li>bias: Param float32[2] 2 numbers, 8 B</li>"
)


def state() -> Any:
    kernel, bias = jnp.ones((2, 2)), jnp.ones(2)

    def layer() -> dict[str, Any]:
        return {"kernel": nnx.Param(kernel), "bias": nnx.Param(bias)}

    return nnx.State({"layers": {index: layer() for index in range(LAYERS)}})


def least(work: Callable[[], Any]) -> float:
    """The least processor time of three calls."""
    found: list[float] = []
    for _ in range(3):
        start = time.process_time()
        work()
        found.append(time.process_time() - start)
    return min(found)


def test_a_picture_is_made_in_less_time_than_the_repr_of_a_state() -> None:
    tree = state()
    assert least(lambda: show(tree).to_html()) <= least(lambda: repr(tree))


def test_a_picture_opens_in_less_time_than_a_plain_list(tmp_path: Path) -> None:
    items = "".join(f"<ul><li>{index}<ul>{LINES}</ul></li></ul>" for index in range(LAYERS))
    pages = {
        "picture": show(state()).to_html(),
        "list": f"<!doctype html><meta charset=utf-8><title>list</title><body>{items}",
    }
    for name, text in pages.items():
        (tmp_path / f"{name}.html").write_text(text)
    try:
        with browser.opened(tmp_path / "profile") as tab:
            tab.call("Performance.enable", timeDomain="threadTicks")
            found = {name: opening(tab, tmp_path / f"{name}.html") for name in pages}
            assert found["picture"] <= found["list"]
            tab.open((tmp_path / "picture.html").as_uri())
            assert unfolding(tab) <= found["list"]
            assert tab.run("document.querySelectorAll('.leaf').length") == 2 * LAYERS
            assert tab.said == []
    except browser.NoBrowser as error:
        pytest.skip(f"no browser: {error}")


def busy(tab: browser.Tab) -> float:
    """Seconds of its thread that the page has taken so far."""
    metrics: list[dict[str, Any]] = tab.call("Performance.getMetrics")["metrics"]
    return next(float(one["value"]) for one in metrics if one["name"] == "TaskDuration")


def opening(tab: browser.Tab, page: Path) -> float:
    """The least time that opening a page takes, until it is laid out."""
    found: list[float] = []
    for _ in range(3):
        tab.open("about:blank")
        start = busy(tab)
        tab.open(page.as_uri())
        tab.until("performance.getEntriesByType('navigation')[0].loadEventEnd")
        tab.run("document.body.offsetHeight")
        found.append(busy(tab) - start)
    return min(found)


def unfolding(tab: browser.Tab) -> float:
    """The time that unfolding the level of all layers takes."""
    start = busy(tab)
    tab.run("document.querySelectorAll('summary')[1].click()")
    assert tab.run("document.querySelectorAll('details')[1].open") is True
    tab.run("document.body.offsetHeight")
    return busy(tab) - start
