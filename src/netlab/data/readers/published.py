"""Data sets that their owners publish: where they lie in a data folder, and how they get there."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from netlab.data.readers.download import Archive, fetch
from netlab.errors import DataError, listing


class Layout(NamedTuple):
    """One form in which a data set may lie in a data folder."""

    folders: tuple[str, ...]
    """Where below the data folder, the best place first; `.` is the data folder itself."""
    needs: tuple[str, ...]
    """Files and folders without which it is not whole."""
    endings: tuple[str, ...] = ("",)
    """What their names may end in besides, such as `.gz`; the best first."""

    def path(self, root: Path, name: str) -> Path | None:
        """Where one of the files or folders that it needs is below `root`; None if missing."""
        choices = (root / f"{name}{ending}" for ending in self.endings)
        return next((path for path in choices if path.exists()), None)

    def missing(self, root: Path) -> list[str]:
        """What it needs and is not below `root`."""
        return [name for name in self.needs if self.path(root, name) is None]


@dataclass(frozen=True)
class Published:
    """A data set as its owners publish it."""

    name: str
    """On the command line."""
    title: str
    """In messages."""
    instead: str
    """Data set that needs no files, for who has none."""
    layouts: Sequence[Layout]
    """The best first."""
    archives: Sequence[Archive]
    """Paths in a data folder, addresses and sums of the owners' files."""

    @property
    def mend(self) -> str:
        """What to do about a damaged file, for messages."""
        return f"fetch it again with netlab download {self.name} --again"

    def present(self, base: Path) -> bool:
        """Whether the data folder `base` holds a whole layout."""
        return any(not layout.missing(root) for layout, root in self._candidates(base))

    def find(self, base: Path) -> tuple[Layout, Path]:
        """The first whole layout in the data folder `base`, and its folder.

        Raises:
            DataError: there is none, or half of one.
        """
        candidates = self._candidates(base)
        for layout, root in candidates:
            if not layout.missing(root):
                return layout, root
        fetching = f"netlab download {self.name}"
        for layout, root in candidates:
            missing = layout.missing(root)
            if len(missing) < len(layout.needs):
                raise DataError(
                    f"{root}: only half of the {self.title} data, {listing(missing)} missing; "
                    f"fetch them again with {fetching} --again"
                )
        raise DataError(
            f"no {self.title} data in {base}: name their folder with --data-dir or NETLAB_DATA, "
            f"fetch them with {fetching}, or try --dataset {self.instead}, which needs none"
        )

    def download(self, folder: Path) -> None:
        """Fetch, check and unpack the owners' archives below `folder`.

        Raises:
            UsageError: another process is at it.
            WorkFailed: no network, a wrong sum, or no room.
        """
        fetch(self.name, folder, self.archives)

    def _candidates(self, base: Path) -> list[tuple[Layout, Path]]:
        return [(layout, base / inner) for layout in self.layouts for inner in layout.folders]
