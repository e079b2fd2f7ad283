"""Looking into fitted models."""

from ._display import GradientAgreementDisplay
from ._gradient_agreement import gradient_agreement

__all__ = ["GradientAgreementDisplay", "gradient_agreement"]
