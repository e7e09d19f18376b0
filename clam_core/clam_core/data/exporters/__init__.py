"""Exporters by format. A format's library is imported only when something is exported to it."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import cast

from clam_core.data.exporting import ExportOptions, ExportReport
from clam_core.errors import ClamError, did_you_mean

#: Format → ``module:function``. A function takes ``(dataset, out, ExportOptions)`` and gives an `ExportReport`.
EXPORTERS: dict[str, str] = {
    "lerobot": "clam_core.data.exporters.lerobot:export_lerobot",
    "minari": "clam_core.data.exporters.minari:export_minari",
}


def export(format_name: str, dataset: Path, out: Path, options: ExportOptions) -> ExportReport:
    """Write the dataset folder `dataset` to the new folder `out` as `format_name`.

    Raises:
        ClamError: no such format, its library is missing, no such dataset, existing `out`, or data that the format
            cannot hold.
    """
    if format_name not in EXPORTERS:
        raise ClamError(f"unknown format '{format_name}', {did_you_mean(format_name, EXPORTERS)}")
    module, _, name = EXPORTERS[format_name].partition(":")
    try:
        exporter = getattr(importlib.import_module(module), name)
    except ImportError as error:
        raise ClamError(f"format '{format_name}' cannot be written ({error}); install what is missing") from error
    return cast(ExportReport, exporter(dataset, out, options))
