"""Which adapter serves a site."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from engine.act import Installation
from processes.erp import Erp
from processes.erp_files import FilesErp
from processes.erp_manual import ManualErp
from processes.erp_own import OwnNumbers
from records.calendar import Site

ADAPTERS: Mapping[str, Callable[[Mapping[str, Any]], Erp]] = {
    "manual": ManualErp.from_settings,
    "files": FilesErp.from_settings,
}


def erp_of(installation: Installation, site: Site) -> Erp:
    """Return the adapter of a site, as the setting ``erp_adapter`` says: manual (the default) or files.

    Raises: ValueError for another word.
    """
    if not site.has_erp:
        return OwnNumbers(installation)
    wanted = str(installation.settings.get("erp_adapter") or "manual")
    if wanted not in ADAPTERS:
        raise ValueError(f"Expected the setting erp_adapter to be one of {', '.join(ADAPTERS)}, but it is {wanted}")
    return ADAPTERS[wanted](installation.settings)
