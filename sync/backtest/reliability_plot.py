"""Plot of the reliability of a back-test's forecasts, and the names of methods and targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["METHOD_NAMES", "TARGET_TITLES", "plot"]

METHOD_NAMES: Mapping[str, str] = {
    "base_rate": "expanding base rate",
    "linear": "linear, own pace",
    "jira": "Jira-like pace ±10%",
    "velocity_90d": "90-day velocity ±10%",
    "monte_carlo": "Monte Carlo, days",
    "gamma_poisson": "Gamma-Poisson",
    "monte_carlo_blocks": "Monte Carlo, blocks",
    "blocks_platt": "… Platt-scaled",
    "reference_class": "reference class",
    "reference_mixed": "… mixed with blocks",
    "simulation": "our simulation",
    "item_survival": "item survival",
    "first_pool": "first pool",
    "pool_platt": "pool, Platt by kind",
    "pool_raw": "pool, no envelope",
    "pool": "pool (published)",
}
TARGET_TITLES: Mapping[str, str] = {
    "tau0": "All items done when due",
    "tau10": "At least 90% of the items done when due",
}
_PLOTTED: Mapping[str, tuple[str, str]] = {"monte_carlo": ("#b0b0b0", "--"), "pool": ("#1f4e79", "-")}


def plot(result: Mapping[str, Any], path: Path | str) -> None:
    """Write a plot of the reliability of the pool and of Monte Carlo as SVG or PNG, by the path's suffix.

    The same result gives the same bytes. Raises ValueError for another suffix, ImportError without matplotlib (the
    extra ``plot``), OSError if the file cannot be written.
    """
    kind = Path(path).suffix.lower().removeprefix(".")
    if kind not in ("svg", "png"):
        raise ValueError(f"{Path(path).name}: a plot is written as .svg or .png")
    import matplotlib as mpl  # late: slow to import, and from an extra
    from matplotlib.figure import Figure

    with mpl.rc_context({"svg.hashsalt": "milesync", "svg.fonttype": "none"}):
        figure = Figure(figsize=(10, 5), layout="constrained")
        for place, (tau, title) in enumerate(TARGET_TITLES.items(), start=1):
            _panel(figure.add_subplot(1, 2, place), result["reliability"][tau], title)
        figure.savefig(path, format=kind, dpi=120, metadata={"Date": None} if kind == "svg" else {"Software": None})


def _panel(axes: Any, bins: Mapping[str, Sequence[Mapping[str, Any]]], title: str) -> None:
    axes.plot([0, 1], [0, 1], color="#d0d0d0", linewidth=1)
    for method, (color, line) in _PLOTTED.items():
        filled = [b for b in bins[method] if b["n"]]
        forecast, observed = [b["forecast"] for b in filled], [b["observed"] for b in filled]
        most = max((b["n"] for b in filled), default=1)
        axes.plot(forecast, observed, line, color=color, label=METHOD_NAMES[method])
        axes.scatter(forecast, observed, s=[8 + 92 * b["n"] / most for b in filled], color=color)
        if method == "pool":
            for b in filled:
                axes.annotate(str(b["n"]), (b["forecast"], b["observed"]), (5, -11), textcoords="offset points", size=7)
    axes.set(title=title, xlabel="said", ylabel="came true", xlim=(0, 1), ylim=(0, 1), aspect="equal")
    axes.legend(loc="upper left", frameon=False, fontsize=8)
