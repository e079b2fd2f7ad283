"""HSSM: Hamiltonian oscillators in a stack, for long sequences."""

from numbers import Integral, Real
from typing import Any, ClassVar

from sklearn.utils._param_validation import Interval, StrOptions

from ..nn import hssm
from ..nn._segments import OscillatorCore
from ..preparation.clock import Clock
from ..preparation.holes import MISSING, Holes
from ..preparation.inputs import Inputs
from ..preparation.sequences import SequenceInputs
from ..storage.format import Spec
from .base import (
    AT_LEAST_ONE,
    MISSING_IN_SEQUENCES,
    POSITIVE,
    SHARE,
    WALKING,
    Constraints,
    CoreSizes,
    Family,
)

# Of the intervals in training, those that are no gaps: the unit of time is the longest of
# them. A higher share slows oscillators down, and loses frequencies near a cycle in six
# intervals; of a lower one nonlinear ones lose the pauses between bursts.
_UNIT_SHARE = 0.8


class HSSMFamily(Family):
    """The Hamiltonian state space model (arXiv 2506.05259)."""

    recurrence: ClassVar[Constraints] = {
        "hidden_size": AT_LEAST_ONE,
        "state_size": AT_LEAST_ONE,
        "num_blocks": AT_LEAST_ONE,
        "fitter": [StrOptions({"rhel", "bptt"})],
        "dynamics": [StrOptions({"linear", "damped", "nonlinear"})],
        "epsilon": [StrOptions({"auto"}), *POSITIVE],
        "norm": [StrOptions({"batch", "layer"}), None],
        "num_loops": AT_LEAST_ONE,
    }
    network: ClassVar[Constraints] = {
        "dropout": SHARE,
        "readout": [StrOptions({"mean", "last"})],
        "memory": [StrOptions({"auto"}), Interval(Real, 1, None, closed="left"), None],
        "encoder": [StrOptions({"linear", "gated"})],
        "patch_size": AT_LEAST_ONE,
        "bidirectional": ["boolean"],
        "time_channel": [Integral, str, None],
        "missing": [StrOptions(set(MISSING))],
        # Not the network's, but what is known of a fitted one follows from it.
        "way_back": [StrOptions({"kept", "undone"})],
    }
    training = WALKING
    per_step: ClassVar[Constraints] = {
        "readout": [StrOptions({"mean", "last", "sequence"})],
        "every": AT_LEAST_ONE,
    }

    depth = "num_blocks"

    about = """
An HSSM is a stack of layers of oscillators that conserve energy, driven by the input
(arXiv 2506.05259; the equations are in :class:`sklearn_physrnn.nn.HSSM`). Because such a
system runs backward exactly, its gradient can be had by letting it run back and
reading it off the difference of two echoes (`fitter` "rhel"): nothing that grows with
the length of the sequence is stored but the layer's input. Back-propagation through
time ("bptt") gives the same gradient.
"""

    entries = """
hidden_size : int
    Width of the blocks.
state_size : int
    Oscillators in a block.
num_blocks : int
    Number of blocks.
fitter : {"rhel", "bptt"}
    How the oscillators' gradient is computed: by Hamiltonian echo, or by back-propagation
    through time.
dynamics : {"linear", "damped", "nonlinear"}
    Harmonic oscillators, which keep their energy; harmonic oscillators each of which fades at
    a rate of its own, learned apart from its frequency; or oscillators in a log cosh potential.
epsilon : float or "auto"
    Size of the echo's nudge; "auto" fits it to each sample and oscillator.
norm : {"batch", "layer"} or None
    Normalisation before each block; its statistics never see padding.
dropout : float
    Share of activations dropped in training.
way_back : {"kept", "undone"}
    Where the way back through pieces of time starts each from, if `chunk_size` cuts: from
    a state that was kept; or, with nothing kept but the last, from one that is found by
    letting the oscillators run backwards. ``return_error_`` tells how exactly that worked.
    "undone" is not for damped ones: what has faded is gone.
readout : {"mean", "last"}
    What the head sees: the mean over steps, or the last step.
memory : float, "auto" or None
    Of linear and damped oscillators: the steps over which the slowest turns by one radian
    before training; "auto" takes those of the longest sequence in training. Frequencies, and
    decay times of damped ones, are then spread evenly by their logarithm from there to a step.
    None begins as the paper does, with modes that all turn within some ten steps. With
    `time_channel` it is in steps of the mean interval in training.
encoder : {"linear", "gated"}
    What maps a step's channels to `hidden_size`: a linear map, or one that multiplies them
    first, W3 (W1 u * sigmoid(W2 u)): for values that count where another channel marks them.
num_loops : int
    How often the stack of blocks is gone through, with the same weights each time. Not with
    `norm` "batch".
patch_size : int
    Steps that are read as one, by which a sequence is shorter for the oscillators. What is
    left over at its end is filled up with zeros, the means of scaled channels, to one patch
    more. With readout "sequence" `every` must be a multiple of it, and what is left over
    comes after all steps that are predicted and has no effect. With `time_channel` a patch
    has the mean of its intervals.
bidirectional : bool
    Whether each block has oscillators, too, that read the sequence from its end. It must be
    there as a whole then, and is not cut by `chunk_size`.
time_channel : int, str or None
    Channel of X that holds time stamps, for series sampled unevenly: its position, or its
    name in a list of data frames, where it may hold dates; "index" takes the index of each
    data frame or Series of a list. They then scale
    the oscillators' step, in units of an interval that 80 % of those in training do
    not exceed. What a longer one, in training or later, has above one unit is a gap, over
    which oscillators swing on by themselves: linear and damped ones at once, over any
    length, nonlinear ones in steps, over up to 1,000 units.
"""
    entries += MISSING_IN_SEQUENCES

    per_step_readout = """
readout : {"mean", "last", "sequence"}
    What the head sees: the mean over steps, the last step, or, for "sequence", every
    `every`-th step by itself, with a y that has a time axis.
"""

    def module(self, params: Any, inputs: Inputs, n_outputs: int) -> hssm.HSSM:
        assert isinstance(inputs, SequenceInputs)
        _check_way_back(params)
        _check_pieces(params)
        _check_patches(params.patch_size, inputs)
        module = hssm.HSSM(
            inputs.n_columns,
            n_outputs,
            hidden_size=params.hidden_size,
            state_size=params.state_size,
            num_blocks=params.num_blocks,
            dynamics=params.dynamics,
            gradient=params.fitter,
            epsilon=params.epsilon,
            norm=params.norm,
            dropout=params.dropout,
            readout=params.readout,
            every=self.every(params),
            initial_step=_initial_step(params.dynamics, inputs, params.patch_size),
            memory=_memory(params, inputs),
            encoder=params.encoder,
            num_loops=params.num_loops,
            patch_size=params.patch_size,
            bidirectional=params.bidirectional,
        )
        inputs.holes.start_untold(module.input_weight, inputs.n_columns)
        return module

    def inputs(self, params: Any) -> SequenceInputs:
        clock = Clock(params.time_channel)
        return SequenceInputs(
            params.scale_inputs,
            clock.position,
            clock=clock,
            unit_share=_UNIT_SHARE,
            longest_gap=hssm.UNITS[params.dynamics].kind.LONGEST,
            holes=Holes.of(
                params.missing, whole=params.readout != "sequence" or params.bidirectional
            ),
        )

    def core(self, params: Any, sizes: CoreSizes) -> OscillatorCore:
        return OscillatorCore(
            hidden_size=params.hidden_size,
            state_size=params.state_size,
            num_blocks=params.num_blocks,
            segment_length=sizes.segment_length,
            dynamics=params.dynamics,
            gradient=params.fitter,
            epsilon=params.epsilon,
            norm=params.norm,
            num_loops=params.num_loops,
            dropout=params.dropout,
            **sizes.of_data(),
        )

    def attributes(self, params: Any, dtype: str) -> dict[str, Spec]:
        return {"return_error_": ("F64", ())} if params.way_back == "undone" else {}


def _check_way_back(params: Any) -> None:
    if params.dynamics == "damped" and params.way_back == "undone":
        raise ValueError(
            "way_back='undone' lets oscillators run backwards, and of damped ones what has "
            "faded is gone: set way_back='kept', or another dynamics than 'damped'."
        )


def _check_pieces(params: Any) -> None:
    """Refuse `chunk_size` where a network cannot be trained in such pieces."""
    size = params.chunk_size
    if size is None or isinstance(size, str):
        return
    if params.bidirectional:
        raise ValueError(
            f"chunk_size={size} does not go with bidirectional=True: what is read from the end "
            "needs whole sequences. Set chunk_size='auto' or None, or bidirectional=False."
        )
    if params.way_back == "undone" and size % params.patch_size:
        raise ValueError(
            f"chunk_size={size} must be a multiple of patch_size={params.patch_size} with "
            "way_back='undone': time is undone by whole patches. Set way_back='kept' for pieces "
            "of any size."
        )


def _check_patches(patch_size: int, inputs: Inputs) -> None:
    if patch_size > inputs.longest:
        raise ValueError(
            f"patch_size={patch_size} is more than the {inputs.longest} steps of the longest "
            "sequence in training: at least one patch must be filled."
        )


def _memory(params: Any, inputs: SequenceInputs) -> float | None:
    """Give the oscillators' memory in their own unit of time."""
    if params.memory is None:
        return None
    if params.dynamics == "nonlinear":
        raise ValueError(
            f"memory={params.memory!r} is for oscillators that have a frequency: set memory=None, "
            "or dynamics='linear' or 'damped'."
        )
    steps = inputs.longest if params.memory == "auto" else params.memory
    return max(1.0, float(steps * inputs.mean_dt / params.patch_size))


def _initial_step(dynamics: str, inputs: Inputs, patch_size: int) -> float | None:
    """Keep the horizon, step times length, where float32 can follow the dynamics.

    A driven nonlinear oscillator is chaotic: measured at up to 50,000 steps, this is
    where the gradients of both fitters still agree with float64.
    """
    if dynamics != "nonlinear":
        return None
    return min(0.1, 3 / (inputs.longest / patch_size) ** 0.5) / inputs.mean_dt


HSSM = HSSMFamily()
