"""The kinds of head that there are: what a `kind` in a head's settings is made into."""

from robot_rl.policy.consistency_head import ConsistencyHead, ConsistencyPolicy
from robot_rl.policy.explorer import Explorer
from robot_rl.policy.head import Head, HeadPolicy, HeadSettings
from robot_rl.policy.interface import Backbone
from robot_rl.policy.residual_head import ResidualHead, ResidualPolicy
from robot_rl.policy.tuned_head import TunedHead, TunedPolicy

type AnyHead = Head | ConsistencyHead | TunedHead | ResidualHead
type HeadedPolicy = HeadPolicy | ConsistencyPolicy | TunedPolicy | ResidualPolicy

_ON_FEATURES = {"gaussian": Head, "consistency": ConsistencyHead, "residual": ResidualHead}


def new_head(settings: HeadSettings) -> AnyHead:
    """An untrained one; not of the tuned kind, which needs its base."""
    return _ON_FEATURES[settings.kind](settings)


def headed(
    backbone: Backbone,
    head: AnyHead,
    version: int | None = None,
    explorer: Explorer | None = None,
) -> HeadedPolicy:
    """The policy that a backbone and a head make."""
    if isinstance(head, Head):
        return HeadPolicy(backbone, head, version, explorer)
    if isinstance(head, TunedHead):
        return TunedPolicy(backbone, head, version, explorer)
    if isinstance(head, ResidualHead):
        return ResidualPolicy(backbone, head, version, explorer)
    return ConsistencyPolicy(backbone, head, version, explorer)
