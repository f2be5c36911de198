"""Build hook: the addresses of the project, and the links of the README, come from where it is released.

The release workflow sets ``MILESYNC_PROJECT_URL`` to the address of its own repository. Without it the package has no
addresses, and the README keeps its relative links.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface


class ProjectAddresses(MetadataHookInterface):
    """Fills ``urls`` and ``readme`` of the project's metadata."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set the addresses and the README of this version."""
        text = Path(self.root, "README.md").read_text(encoding="utf-8")
        base = os.environ.get("MILESYNC_PROJECT_URL", "").rstrip("/")
        if base:
            tag = f"v{metadata['version']}"
            metadata["urls"] = {
                "Changelog": f"{base}/blob/{tag}/CHANGELOG.md",
                "Documentation": f"{base}/blob/{tag}/docs/README.md",
                "Issues": f"{base}/issues",
                "Source": base,
            }
            text = re.sub(r"(!\[[^]]*\]\()(?!\w+:)", rf"\g<1>{base}/raw/{tag}/", text)
            text = re.sub(r"(?<!!)(\[[^]]*\]\()(?!\w+:|#)", rf"\g<1>{base}/blob/{tag}/", text)
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
