"""Which training a forecaster's checkpoint is of."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..estimators._checkpointing import described
from ..storage.checkpoint import Checkpoint, describe, digest
from ..storage.index import index_digest
from ..storage.stages import Stages
from ..training._device import training_device
from ..training._processes import opened
from ._history import History

if TYPE_CHECKING:
    from ._pretraining import Pretrained


def open_checkpoint(
    forecaster: Any,
    histories: Sequence[History],
    columns: list | None,
    seed: int,
    before: "Pretrained | None" = None,
) -> tuple[Stages, int]:
    """Find where this very training has come to, and its seed where that was drawn.

    Parameters
    ----------
    forecaster : forecaster with a `checkpoint`, which may be None
    histories : sequence of History
        What it trains on, of one series or of several.
    columns : list or None
        Names of the exogenous columns.
    seed : int
        Of the training, unless the file holds another.
    before : Pretrained or None
        What the training goes on from.

    Raises
    ------
    ValueError
        If the file is damaged or of another training.
    """
    if forecaster.checkpoint is None:
        return Stages(None), seed
    checkpoint = opened(
        lambda: Checkpoint(
            forecaster.checkpoint, _described(forecaster, histories, columns, before), (seed,)
        )
    )
    return Stages(checkpoint), checkpoint.seeds[0]


def _described(
    forecaster: Any,
    histories: Sequence[History],
    columns: list | None,
    before: "Pretrained | None",
) -> dict[str, str]:
    description = described(forecaster, training_device(forecaster.device))
    description["training data"] = digest(
        part
        for history in histories
        for part in (history.values, index_digest(history.index), history.exogenous)
    )
    description["columns of X"] = describe(columns)
    if before is not None:
        learned = [before.module.state_dict(), *before.record.optimizer_state["state"].values()]
        description["pretrained model"] = digest(x for state in learned for x in state.values())
    return description
