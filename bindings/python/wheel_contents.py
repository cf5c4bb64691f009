"""What a wheel holds beside the modules: the library, OpenAI's vocabulary, and the licences.

``lib`` and ``share`` inside the package are a prefix like any other, so the library finds its vocabulary
as it does in ``/usr``.
"""

from __future__ import annotations

import pathlib
import sysconfig
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class WheelContents(BuildHookInterface[Any]):
    """Adds what ``make build`` left in ``build`` to the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "editable":
            return  # the modules find the library in the tree that they are in
        project = pathlib.Path(self.root).parents[1]
        contents = {
            "build/lib/libcleanclip.so": "cleanclip/lib/libcleanclip.so",
            "build/share/cleanclip/bpe_simple_vocab_16e6.txt.gz":
                "cleanclip/share/cleanclip/bpe_simple_vocab_16e6.txt.gz",
            "LICENSE": "cleanclip/share/licenses/LICENSE",
            "NOTICE": "cleanclip/share/licenses/NOTICE",
        }
        for source, target in contents.items():
            path = project / source
            if not path.is_file():
                raise FileNotFoundError(
                    f"cleanclip: '{path}' is missing; expected a built source tree; run `make build` first")
            build_data["force_include"][str(path.resolve())] = target
        build_data["pure_python"] = False
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["tag"] = f"py3-none-{platform}"
