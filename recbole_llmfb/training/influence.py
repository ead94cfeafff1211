"""How much each interaction counts for what others are shown, apart from whether its user has the item.

A weight bounds what one user, or a crowd of new accounts, can teach; it takes nothing from anybody's own history.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recbole_llmfb.training.atomic import AtomicTable


def weights_of(table: AtomicTable, field: str | None) -> NDArray[np.float32]:
    """Weights of an `.inter` file's rows, (rows,); all 1 without a field.

    Raises:
        DataError: no such column, or a cell that is no number from 0 to 1.
    """
    if field is None:
        return np.ones(len(table), dtype=np.float32)
    table.column(field, remedy=f"add {field}:float, or set INTERACTION_WEIGHT_FIELD: null")
    numbers = table.numbers(field)
    for row in np.flatnonzero(~((numbers >= 0) & (numbers <= 1)))[:1]:
        raise table.error(int(row), f"{field} {table.columns[field][row]!r}", remedy="write a number from 0 to 1")
    return numbers.astype(np.float32)


def matrices(dataset: Any, row_field: str) -> tuple[Tensor, Tensor]:
    """Of the training part, each (U, I) on the CPU: 1 where it has the interaction, and there what the interaction counts.

    row_field: of the part's interactions, in which row of the whole data set each stands.
    """
    users = dataset.inter_feat[dataset.uid_field].long()
    items = dataset.inter_feat[dataset.iid_field].long() - 1
    histories = torch.zeros(dataset.user_num, dataset.item_num - 1)
    histories[users, items] = 1
    influence = histories.clone()
    influence[users, items] = torch.from_numpy(dataset.interaction_weight)[dataset.inter_feat[row_field].long()]
    return histories, influence
