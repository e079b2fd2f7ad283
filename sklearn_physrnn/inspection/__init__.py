"""Looking into fitted models: what they compute on the way, and pictures of it.

The displays work as scikit-learn's do: ``XDisplay.from_estimator(estimator, X)`` computes and
draws, ``display.plot(ax=...)`` draws again, and the numbers are the display's attributes. The
functions give numbers alone. matplotlib, which only drawing needs, is an extra:
``pip install sklearn-physrnn[plot]``.
"""

from ._attribution_display import AttributionDisplay
from ._cell_energy import CellEnergyDisplay, release_rates
from ._echo_display import EchoDisplay
from ._forecast_display import ForecastDisplay
from ._frequency_display import FrequencyDisplay
from ._gradient_agreement import gradient_agreement
from ._gradient_agreement_display import GradientAgreementDisplay
from ._integrated_gradients import integrated_gradients
from ._modes_display import ModesDisplay
from ._neurons import physical_parameters, step_stability
from ._oscillators import mode_frequencies
from ._phase_portrait import PhasePortraitDisplay
from ._physical_parameters_display import PhysicalParametersDisplay
from ._sequence_importance import sequence_importance
from ._sequence_importance_display import SequenceImportanceDisplay
from ._step_stability_display import StepStabilityDisplay
from ._training_history import TrainingHistoryDisplay

__all__ = [
    "AttributionDisplay",
    "CellEnergyDisplay",
    "EchoDisplay",
    "ForecastDisplay",
    "FrequencyDisplay",
    "GradientAgreementDisplay",
    "ModesDisplay",
    "PhasePortraitDisplay",
    "PhysicalParametersDisplay",
    "SequenceImportanceDisplay",
    "StepStabilityDisplay",
    "TrainingHistoryDisplay",
    "gradient_agreement",
    "integrated_gradients",
    "mode_frequencies",
    "physical_parameters",
    "release_rates",
    "sequence_importance",
    "step_stability",
]
