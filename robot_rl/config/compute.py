"""`[learner.compute]` of a task file: where the learner's arithmetic runs, and how."""

from typing import Annotated, Literal

from pydantic import Field

from robot_rl.config.section import Section


class ComputeSection(Section):
    """As it stands, one process trains in float32 on the first GPU, or on the processor where there
    is none. On a processor nothing here changes a number unless it is set.
    """

    device: Annotated[str, Field(pattern=r"^(auto|cpu|cuda(:[0-9]{1,2})?)$")] = "auto"
    # bfloat16: the products of hidden layers only, forward and backward. Weights, optimizers, last
    # layers, losses, targets and entropy stay float32.
    precision: Literal["float32", "bfloat16"] = "float32"
    compile: bool = False  # networks through torch.compile
    # Every batch of an update has the same shapes: steps that nobody showed weigh nothing, in place
    # of being left out. Always so on a GPU, where it is compiled, and with several processes.
    fixed_shapes: bool = False
    # On a GPU: features lie in its memory too, and a batch takes only numbers of rows there.
    replay_on_device: bool = True
    # Updates whose losses are read from the device together. 0: every one on a processor, 50 on a
    # GPU, which is then never waited for in between.
    read_updates: Annotated[int, Field(ge=0, le=1000)] = 0
