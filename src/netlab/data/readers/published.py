"""Data sets that their owners publish: where they lie in a data folder, and how they get there."""

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, NamedTuple

from netlab.contracts.dataset import DataRequest
from netlab.data.readers.download import Archive, fetch
from netlab.data.readers.folders import data_dir
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


class Published:
    """Base of data sets that their owners publish (see `contracts.dataset.Downloadable`)."""

    name: ClassVar[str]
    """On the command line."""
    title: ClassVar[str]
    """In messages."""
    instead: ClassVar[str]
    """Data set without files, to suggest to users who have none of these."""
    download_size: ClassVar[str]
    layouts: ClassVar[Sequence[Layout]]
    """The best first."""
    archives: ClassVar[Sequence[Archive]]
    """Paths in a data folder, addresses and sums of the owners' files."""

    @property
    def mend(self) -> str:
        """What to do about a damaged file, for messages."""
        return f"fetch it again with netlab download {self.name} --again"

    def present(self, folder: Path) -> bool:
        """Whether a data folder holds a whole layout."""
        return any(not layout.missing(root) for layout, root in self._candidates(folder))

    def find(self, request: DataRequest) -> tuple[Layout, Path]:
        """The first whole layout in the data folder, and where it is.

        Raises:
            DataError: there is none, or half of one.
        """
        base = data_dir(request.data_dir)
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
