"""How the time per Jacobian grows with the number of inputs: exponents and a figure, from the last `jacobians` run."""

from __future__ import annotations

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import scipy.stats

from benchmarks.process import ALL_CORES

TIMES = {
    "exact_float64_ms": "exact",
    "implicit_float64_ms": "implicit",
    "unrolled_float64_ms": "unrolled",
    "c_centred_ms": "C, central differences",
    "plain_cores_ms": "plain jit(vmap(jacfwd)), all cores",
    "floor_ms": "floor: inputs × one step without derivative",
}
FIGURE = Path("docs/scaling.svg")


def measure() -> list[dict[str, object]]:
    """One row per method: time per Jacobian and physics step ~ inputs^exponent over the tasks, with its 95 % interval.

    core_time_over_exact: time on one core for a Jacobian of every task, over that of `exact`.
    """
    source, plain = (Path(f"results/bench/{name}.csv") for name in ("jacobians", "newcomer"))
    if not source.exists():
        raise SystemExit(f"{source} is missing: run `python -m benchmarks jacobians` first")
    table = pd.read_csv(source)
    if plain.exists():
        table = table.merge(pd.read_csv(plain), on="task", validate="one_to_one")
    rows, (figure, axes) = [], plt.subplots(figsize=(6, 5), layout="constrained")
    for column, label in TIMES.items():
        if column not in table:
            print(f"without {label!r}: run `python -m benchmarks newcomer` for it")
            continue
        times = table[column] / table["substeps"]
        fit = scipy.stats.linregress(np.log(table["inputs"]), np.log(times))
        half = fit.stderr * scipy.stats.t.ppf(0.975, len(table) - 2)
        cores = len(ALL_CORES) if column == "plain_cores_ms" else 1
        rows.append(
            {
                "method": label,
                "exponent": fit.slope,
                "low": fit.slope - half,
                "high": fit.slope + half,
                "core_time_over_exact": cores * table[column].sum() / table["exact_float64_ms"].sum(),
            }
        )
        inputs = np.array([table["inputs"].min(), table["inputs"].max()])
        style = "--" if column == "floor_ms" else "-"
        (line,) = axes.loglog(inputs, np.exp(fit.intercept) * inputs**fit.slope, style, lw=1)
        axes.loglog(table["inputs"], times, "o", ms=4, color=line.get_color(), label=f"{label}: exponent {fit.slope:.2f}")
    axes.set(xlabel="inputs (state and control)", ylabel="ms per Jacobian of one physics step")
    axes.set_xticks([5, 10, 20, 40, 80], ["5", "10", "20", "40", "80"])
    axes.minorticks_off()
    figure.legend(fontsize=8, loc="outside lower center")
    figure.savefig(FIGURE, metadata={"Date": None})
    plt.close(figure)
    return rows
