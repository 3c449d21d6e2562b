"""What Adam and AdamW share: their arguments, and one fused kernel that updates all weights."""

from netlab.contracts.optimizer import Parameters


class Fused:
    """Stands before one of torch's optimisers of this family.

    Args:
        parameters: to be trained.
        lr: learning rate.
        weight_decay: see the optimiser.
        beta1, beta2: decays of the gradient's mean and square; networks that are trained against
            each other like a lower `beta1`.
    """

    def __init__(
        self,
        parameters: Parameters,
        *,
        lr: float,
        weight_decay: float,
        beta1: float = 0.9,
        beta2: float = 0.999,
    ) -> None:
        betas = (beta1, beta2)
        super().__init__(parameters, lr=lr, betas=betas, weight_decay=weight_decay, fused=True)  # type: ignore[call-arg]
