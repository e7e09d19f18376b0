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

ROWS = {
    "pixels": Row("CNN, next picture's pixels (the preset)", "clam"),
    "changes": Row("… half of the error where the picture changes", "clam", overrides=("lam.change_weight=0.5",)),
    "two-steps": Row("… two steps ahead", "clam", overrides=("lam.steps=2",)),
    "features": Row("… features of a frozen, random ResNet-18 instead", "clam", overrides=("lam.target=features",)),
    "test-time": Row("… labels averaged over nine shifted views", "clam", overrides=("augmentation.test_time=2",)),
    "space-time": Row("space-time transformer (Section G.2), pixels", "clam", overrides=SPACE_TIME),
    "idm-encoder": Row("CNN, pixels; the policy starts from the IDM's", "clam", overrides=("policy.encoder=idm",)),
}

NOTE = (
    "A comparison to choose by: its play, demonstrations and layouts are no table's. Otherwise the data are those of "
    "table3, and only what a row names differs from its ST-CLAM."
)


def _cell(slug: str, task: str, seed: int, request: Request) -> Cell:
    return kitchen_cell(f"clam-{slug}", ROWS[slug], task, seed, request, TUNING)


IMAGE_LAM = Table(
    "image-lam", "What the image LAM predicts, and with which network: score of the policy",
    {name: row.title for name, row in ROWS.items()}, {BLOCK: TASKS[BLOCK]},
    _cell,
    metric="score", settings=("recommended",), episodes=30, references=("pixels",), preset=preset, notes=NOTE,
)  # fmt: skip
