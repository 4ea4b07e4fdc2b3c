"""Compiles the kernel of near-duplicate search when the package is built or installed.

Where there is no C compiler the package is installed without it, and says so: numpy does the same
work, more slowly.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FLAGS = ("-O3", "-fPIC", "-shared")


class KernelHook(BuildHookInterface[Any]):
    """Puts the library beside its source, named by the digest that `kernel.py` looks for."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile the kernel, if that can be done."""
        source = Path(self.root) / "evalsuite" / "similarity" / "kernel.c"
        digest = hashlib.blake2b(source.read_bytes(), digest_size=6).hexdigest()
        library = source.with_name(f"kernel-{digest}.so")
        for old in source.parent.glob("kernel-*.so"):
            if old != library:
                old.unlink()
        if not library.is_file() and not self._compiled(source, library):
            return
        build_data["artifacts"].append(library.relative_to(self.root).as_posix())
        build_data["pure_python"] = False
        platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
        build_data["tag"] = f"py3-none-{platform}"

    def _compiled(self, source: Path, library: Path) -> bool:
        compiler = os.environ.get("CC", "cc").split()
        made = library.with_suffix(f".tmp-{os.getpid()}")
        try:
            command = [*compiler, *FLAGS, "-o", str(made), str(source)]
            subprocess.run(command, check=True, capture_output=True, timeout=300)
        except (OSError, subprocess.SubprocessError) as error:
            self.app.display_warning(
                f"near-duplicate search is installed without its kernel, and slower: {error}"
            )
            made.unlink(missing_ok=True)
            return False
        made.replace(library)
        return True
