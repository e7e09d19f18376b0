"""What an image LAM is best trained to predict: the switches beyond the paper, beside plain pixels on the same data."""

from __future__ import annotations

from clam_core.bench.tables.cell import Cell
from clam_core.bench.tables.kitchen import TASKS, kitchen_cell, preset
from clam_core.bench.tables.paper import BLOCK
from clam_core.bench.tables.recipe import TUNING
from clam_core.bench.tables.rows import Row
from clam_core.bench.tables.table import Request, Table

SPACE_TIME = (
    "lam.architecture=space_time",
    "lam.patch_size=16",
    "lam.transformer.encoder_layers=2",
    "lam.transformer.decoder_layers=2",
    "lam.transformer.dim=128",
    "lam.transformer.feedforward_dim=512",
    "lam.transformer.heads=4",
    "lam.transformer.dropout=0.0",
    "lam.transformer.timesteps=window",
)

#: What all rows have but those that are about it, whatever the preset says: so a row stays what it was.
PLAIN = ("augmentation.test_time=0", "policy.error_unit=range")


def _row(title: str, *overrides: str) -> Row:
    return Row(title, "clam", overrides=(*PLAIN, *overrides))


ROWS = {
    "pixels": _row("CNN, next picture's pixels"),
    "changes": _row("… half of the error where the picture changes", "lam.change_weight=0.5"),
    "two-steps": _row("… two steps ahead", "lam.steps=2"),
    "features": _row("… features of a frozen, random ResNet-18 instead", "lam.target=features"),
    "test-time": _row("… labels averaged over nine shifted views", "augmentation.test_time=2"),
    "spread": _row("… errors of the policy in units of the actions' spread", "policy.error_unit=spread"),
    "test-time-spread": _row("… both of these", "augmentation.test_time=2", "policy.error_unit=spread"),
    "space-time": _row("space-time transformer (Section G.2), pixels", *SPACE_TIME),
    "idm-encoder": _row("CNN, pixels; the policy starts from the IDM's", "policy.encoder=idm"),
    "together": _row(
        "… averaged labels, units of spread and the IDM's encoder",
        "augmentation.test_time=2", "policy.error_unit=spread", "policy.encoder=idm",
    ),
}  # fmt: skip

NOTE = (
    "A comparison to choose by: its play, demonstrations and layouts are no table's. Otherwise the data are those of "
    "table3. Rows say what they change of `recommended/kitchen-cpu` as it was when the first of them were run: labels "
    "of the plain view alone, errors in units of the actions' range. It now has what the row of both has, "
    "and ST-CLAM of table3 what the last row has."
)


def _cell(slug: str, task: str, seed: int, request: Request) -> Cell:
    return kitchen_cell(f"clam-{slug}", ROWS[slug], task, seed, request, TUNING)


IMAGE_LAM = Table(
    "image-lam", "What the image LAM predicts, and with which network: score of the policy",
    {name: row.title for name, row in ROWS.items()}, {BLOCK: TASKS[BLOCK]},
    _cell,
    metric="score", settings=("recommended",), episodes=30, references=("pixels",), preset=preset, notes=NOTE,
)  # fmt: skip
