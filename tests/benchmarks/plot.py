"""The plot of cost against leaves."""

from __future__ import annotations

from pathlib import Path

from .row import Row

_STYLE = {"typedstate": ("#d62728", 2.4), "tree.leaves": ("#444444", 1.6)}
_OTHERS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#17becf", "#9467bd", "#8c564b")


def draw(rows: list[Row], path: Path) -> None:
    """Draws the time of a passing check against the leaves of the state, both logarithmic."""
    import matplotlib

    matplotlib.use("Agg")
    matplotlib.rcParams["svg.hashsalt"] = "typedstate"
    from matplotlib import pyplot

    lines: dict[str, list[tuple[int, float]]] = {}
    for row in rows:
        if "tree.leaves" in row.others:
            for name, seconds in {"typedstate": row.ours.least, **row.others}.items():
                lines.setdefault(name, []).append((row.leaves, seconds * 1e6))
    figure, axes = pyplot.subplots(figsize=(7.2, 4.2))
    axes.set_prop_cycle(color=_OTHERS)
    for name, points in lines.items():
        color, width = _STYLE.get(name, (None, 1.2))
        label = "jax.tree.leaves" if name == "tree.leaves" else name
        axes.plot(*zip(*points, strict=True), marker="o", ms=3, lw=width, color=color, label=label)
    axes.set(xscale="log", yscale="log", xlabel="leaves", ylabel="µs per passing check")
    axes.grid(visible=True, which="major", alpha=0.3)
    axes.legend(frameon=False, fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
