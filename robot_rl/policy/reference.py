"""What the frozen policy would do, of which a head on top changes something: a head on the same
features that was trained before.
"""

import torch
from torch import nn

from robot_rl.policy.head import Head, HeadSettings


class Reference(nn.Module):
    """Frozen. Its weights travel with the head on top."""

    def __init__(self, settings: HeadSettings, base: Head | None = None) -> None:
        """`base`: the head that was trained before; None: an untrained one, to be filled."""
        super().__init__()
        gaussian = settings.model_copy(update={"kind": "gaussian", "scale": 0.0})
        self.base = Head(gaussian) if base is None else base
        self.requires_grad_(False)

    @torch.no_grad()
    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(batch, columns) −1 … 1; a gripper's −1, 0 or +1."""
        shape = self.base.settings
        axes, grippers = self.base.decision(features)
        orders = grippers.argmax(-1).to(axes.dtype) - 1  # the places of GRIPPER_VALUES
        moved = dict(zip(shape.axes, axes.unbind(-1), strict=True))
        moved |= dict(zip(shape.gripper_columns, orders.unbind(-1), strict=True))
        still = torch.zeros_like(axes[:, 0])
        return torch.stack([moved.get(column, still) for column in range(shape.size)], -1)
