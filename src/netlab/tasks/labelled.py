"""Labelled pictures, as classifiers and conditional VAEs take them."""

from typing import ClassVar, Self

from netlab.config import TrainConfig
from netlab.contracts.dataset import LabelledSet, Target
from netlab.errors import DataError, listing
from netlab.tasks.base import BaseTask

_FEWEST = 2  # classes


class LabelledTask(BaseTask):
    """What tasks on labelled pictures share; see `BaseTask`."""

    needs: ClassVar[Target | None] = "labels"

    @classmethod
    def create(cls, config: TrainConfig, train: LabelledSet) -> Self:
        """The task for a config, fitted to its training split.

        Raises:
            DataError: pictures of one class alone.
        """
        if len(train.classes) < _FEWEST:
            raise DataError(
                f"{config.dataset}: its pictures are all of the class {listing(train.classes)}; "
                "two classes or more are needed"
            )
        return super().create(config, train)
