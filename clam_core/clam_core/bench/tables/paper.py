"""The paper's numbers, as printed: table → row → column → (mean, spread over seeds)."""

from __future__ import annotations

Numbers = dict[str, dict[str, tuple[float, float]]]

ASSEMBLY, BIN, PEG, SHELF = "assembly", "bin-picking", "peg-insert-side", "shelf-place"
BLOCK, BUTTON, MICROWAVE, POT = "reach-block", "push-button", "close-microwave", "put-block-in-pot-and-slide-right"


def _rows(columns: tuple[str, ...], values: dict[str, str]) -> Numbers:
    """From "mean spread mean spread …" for each row."""
    numbers: Numbers = {}
    for row, text in values.items():
        parts = [float(part) for part in text.split()]
        numbers[row] = {c: (parts[2 * i], parts[2 * i + 1]) for i, c in enumerate(columns)}
    return numbers


_TASKS = (ASSEMBLY, BIN, PEG, SHELF)

PAPER: dict[str, Numbers] = {
    "table1": _rows(
        ("HalfCheetah-v5", "Hopper-v5"),
        {
            "bc-al": "0.22 0.05 0.35 0.04",
            "lapo": "0.12 0.05 0.24 0.03",
            "lapa": "0.22 0.05 0.30 0.06",
            "dynamo": "0.18 0.03 0.22 0.02",
            "vpt": "0.32 0.04 0.41 0.03",
            "mlp-clam": "0.64 0.05 0.64 0.03",
            "tf-clam": "0.72 0.04 0.81 0.05",
            "bc-expert": "0.68 0.02 0.76 0.04",
        },
    ),
    "table2": _rows(
        _TASKS,
        {
            "disc-nojt": "0.15 0.03 0.12 0.02 0.18 0.04 0.19 0.03",
            "disc-jt": "0.14 0.04 0.14 0.03 0.17 0.03 0.16 0.04",
            "cont-nojt": "0.28 0.04 0.18 0.03 0.21 0.08 0.26 0.06",
            "cont-jt": "0.69 0.05 0.82 0.04 0.57 0.11 0.88 0.02",
        },
    ),
    # Printed as scores of 10 rollouts, e.g. 8.5/10, without a spread.
    "table3": _rows(
        (BLOCK, BUTTON, MICROWAVE, POT),
        {
            "bc-al": "0 0 0.05 0 0.1 0 0 0",
            "lapa": "0.2 0 0.3 0 0.3 0 0 0",
            "vpt": "0.25 0 0.4 0 0.5 0 0.2 0",
            "st-clam": "0.7 0 0.85 0 0.8 0 0.4 0",
        },
    ),
    "table4": _rows(
        _TASKS,
        {
            "bc-al": "0.19 0.03 0.21 0.12 0.23 0.09 0.00 0.00",
            "lapo": "0.05 0.06 0.00 0.00 0.06 0.03 0.02 0.02",
            "lapa": "0.07 0.04 0.02 0.01 0.09 0.01 0.04 0.02",
            "dynamo": "0.08 0.02 0.04 0.02 0.08 0.04 0.06 0.02",
            "vpt": "0.24 0.06 0.02 0.02 0.34 0.06 0.00 0.00",
            "mlp-clam": "0.68 0.03 0.54 0.08 0.44 0.03 0.26 0.04",
            "tf-clam": "0.81 0.03 0.74 0.04 0.55 0.12 0.28 0.02",
            "bc-expert": "0.84 0.03 0.76 0.03 0.80 0.07 0.93 0.05",
        },
    ),
    "table5": _rows(
        _TASKS,
        {
            "bc-al": "0.34 0.05 0.27 0.12 0.29 0.07 0.00 0.00",
            "lapo": "0.15 0.04 0.02 0.03 0.17 0.04 0.06 0.08",
            "lapa": "0.24 0.07 0.15 0.01 0.25 0.02 0.12 0.02",
            "dynamo": "0.10 0.03 0.06 0.03 0.12 0.04 0.08 0.02",
            "vpt": "0.40 0.08 0.05 0.02 0.49 0.06 0.02 0.00",
            "mlp-clam": "0.53 0.04 0.68 0.05 0.58 0.04 0.72 0.04",
            "tf-clam": "0.91 0.03 0.82 0.03 0.79 0.07 0.93 0.02",
            "bc-expert": "1.00 0.00 0.94 0.05 0.91 0.03 0.93 0.00",
        },
    ),
    "table6": _rows(
        _TASKS,
        {
            "disc-nojt": "0.15 0.04 0.13 0.04 0.16 0.04 0.15 0.06",
            "disc-jt": "0.18 0.05 0.18 0.02 0.12 0.03 0.21 0.03",
            "cont-nojt": "0.32 0.06 0.24 0.05 0.15 0.04 0.32 0.04",
            "cont-jt": "0.91 0.03 0.82 0.03 0.79 0.07 0.93 0.02",
        },
    ),
    "table7": _rows(
        (ASSEMBLY,),
        {"0": "0 0", "0.001": "0.42 0.04", "0.01": "0.52 0.03", "1": "0.58 0.04", "5": "0.53 0.03"},
    ),
    "table8": _rows(
        ("close-drawer", "slider-left"),
        {"bc-al": "0.06 0.01 0.06 0.01", "vpt": "0.29 0.04 0.11 0.03", "tf-clam": "0.33 0.08 0.26 0.08"},
    ),
    "table9": _rows(
        _TASKS,
        {"reconstruction": "0.0004 0 0.0005 0 0.0005 0 0.0003 0", "trivial": "0.0007 0 0.0008 0 0.0008 0 0.0009 0"},
    ),
}
