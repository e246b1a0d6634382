"""The site and the pictures as a browser shows them, to be looked at before a release.

    python -m scripts.site.screenshots [FOLDER]

Builds the site and writes PNGs, into build/screenshots if no folder is named: every page of the
navigation on a wide screen, some in the dark and on a phone, and what ``to_html()`` writes.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.site import browser

os.environ.setdefault("JAX_PLATFORMS", "cpu")
ROOT = Path(__file__).parents[2]
OFTEN = ("", "ideas/dims/", "guides/notebooks/", "errors/", "reference/type-checkers/", "compared/")


@dataclass(frozen=True, slots=True)
class Shot:
    """One screenshot.

    Attributes:
      name: of its file.
      address: what is opened, below the site's or the pictures' folder.
      width: of the window, in CSS pixels.
      scheme: light or dark.
      whole: the page to its end, not the first screen.
    """

    name: str
    address: str
    width: int = 1280
    scheme: str = "light"
    whole: bool = False


def shots(site: Path) -> Iterator[Shot]:
    """Yields what is photographed of a built site."""
    for page in sorted(site.rglob("index.html")):
        address = page.parent.relative_to(site).as_posix().removeprefix(".")
        name = address.replace("/", "-") or "start"
        yield Shot(name, f"{address}/" if address else "", whole=len(page.read_text()) < 200_000)
    for address in OFTEN:
        name = address.strip("/").replace("/", "-") or "start"
        yield Shot(f"{name}-dark", address, scheme="dark")
        yield Shot(f"{name}-phone", address, width=375)


def pictures() -> dict[str, str]:
    """The pages that `to_html` writes of a model with two faults, by name."""
    import jax.numpy as jnp
    from flax import nnx
    from jaxtyping import Array, Float

    from typedstate import Bind, StateMap, TypedState, explain, show

    class LinearState(TypedState):
        kernel: nnx.Param[Float[Array, "din dout"]]
        bias: nnx.Param[Float[Array, "dout"]] | None

    class ModelState(TypedState):
        layers: StateMap[int, Bind[LinearState, "din=d dout=d"]]
        head: Bind[LinearState, "din=d dout=classes"]

    def linear(din: int, dout: int) -> dict[str, Any]:
        return {"kernel": nnx.Param(jnp.ones((din, dout))), "bias": nnx.Param(jnp.ones(dout))}

    tree: dict[str, Any] = {"layers": {i: linear(8, 8) for i in range(3)}, "head": linear(8, 4)}
    tree["layers"][1]["kernel"] = nnx.Param(jnp.ones((8, 6)))
    tree["head"]["baes"] = tree["head"].pop("bias")
    return {
        "picture-schema": show(ModelState).to_html(),
        "picture-state": show(tree, ModelState).to_html(),
        "picture-report": explain(tree, ModelState).to_html(),
    }


def build(folder: Path) -> None:
    """Builds the site into a folder."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-q", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, check=True)


def photograph(tab: browser.Tab, address: str, asked: Iterator[Shot], folder: Path) -> list[Path]:
    """Photographs what is served at an address; the files."""
    written: list[Path] = []
    for shot in asked:
        phone = shot.width < 600
        tab.screen(shot.width, 812 if phone else 900, scheme=shot.scheme, phone=phone)
        tab.open(f"{address}/{shot.address}")
        written.append(folder / f"{shot.name}.png")
        tab.photograph(written[-1], whole=shot.whole)
    return written


def main(arguments: list[str] | None = None) -> None:
    """Writes all screenshots."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "build" / "screenshots")
    parser.add_argument("--site", type=Path, help="a site that is built already")
    options = parser.parse_args(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        site = options.site or work / "site"
        if options.site is None:
            build(site)
        drawn = pictures()
        for title, text in drawn.items():
            (work / f"{title}.html").write_text(text)
        with browser.opened(work / "profile") as tab:
            with browser.served(site) as address:
                count = len(photograph(tab, address, shots(site), options.folder))
            with browser.served(work) as address:
                both = (
                    Shot(f"{title}-{scheme}", f"{title}.html", 800, scheme)
                    for title in drawn
                    for scheme in ("light", "dark")
                )
                count += len(photograph(tab, address, both, options.folder))
        if tab.said:
            raise SystemExit("\n".join(["the browser's console says:", *tab.said]))
    print(f"{count} screenshots in {options.folder}")


if __name__ == "__main__":
    main()
