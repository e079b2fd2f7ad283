"""Torch modules and kernels with hostile arguments: as for estimators, but NaN passes through.

``HYPOTHESIS_PROFILE=long`` tries 20,000 cases instead of 300, here and with estimators together.
"""

import functools
import inspect

import torch
from hypothesis import strategies as st

from sklearn_physrnn import nn
from sklearn_physrnn.kernels.neuron import fitzhugh_nagumo, fitzhugh_nagumo_packed
from sklearn_physrnn.kernels.oscillators import (
    nonlinear_oscillator,
    nonlinear_oscillator_unit,
    oscillator,
    oscillator_unit,
    undo_oscillator_unit,
)
from sklearn_physrnn.kernels.petnn import petnn, trajectory

from ._labels import PARAMETERS
from ._property import RefusedError, attempt, try_all
from ._tensors import changed, tame

B, T, I, H, P = 3, 4, 2, 3, 2
SIZES = {
    nn.PETNN: {"input_size": I, "hidden_size": H},
    nn.DampedHRU: {"input_size": I, "state_size": P},
    nn.LinearHRU: {"input_size": I, "state_size": P},
    nn.NonlinearHRU: {"input_size": I, "state_size": P},
    nn.HSSM: {
        "input_size": I, "output_size": 2, "hidden_size": H, "state_size": P, "num_blocks": 1
    },
    nn.DynPMNN: {"input_size": I, "output_size": 2, "hidden_size": H, "num_layers": 1},
    nn.FitzHughNagumo: {"hidden_size": H},
    nn.VanDerPol: {"hidden_size": H},
    nn.HodgkinHuxley: {"hidden_size": H},
    nn.Kuramoto: {"hidden_size": H},
}  # fmt: skip
VARIANTS = {
    nn.PETNN: [{"release": "soft"}, {"num_layers": 2}, {"increment": "tanh"}],
    nn.DampedHRU: [{"gradient": "rhel"}, {"complex": False}],
    nn.LinearHRU: [{"gradient": "rhel"}, {"complex": False}],
    nn.NonlinearHRU: [{"gradient": "rhel"}],
    nn.HSSM: [{"gradient": "rhel"}, {"readout": "sequence"}, {"norm": None}, {"readout": "last"}],
    nn.DynPMNN: [{"n_members": 2}, {"n_frequencies": 2}, {"dynamics": "van_der_pol"}],
}


def numbers(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def sequences() -> dict[str, torch.Tensor]:
    return {"dt": torch.full((B, T), 0.5), "lengths": torch.tensor([4, 2, 1])}


def module_arguments(kind, variant: int = 0) -> dict[str, torch.Tensor]:
    if issubclass(kind, nn.VectorField):
        return {"state": numbers(B, H, kind.n_states), "drive": numbers(B, H)}
    if kind is nn.DynPMNN:
        return {"x": numbers(B, I)}
    arguments = {"x" if kind is nn.PETNN else "u": numbers(B, T, I), **sequences()}
    if kind in (nn.DampedHRU, nn.LinearHRU, nn.NonlinearHRU):
        arguments["state"] = numbers(2, B, module(kind, variant).n_oscillators)
    return arguments


@functools.cache
def module(kind, variant: int) -> torch.nn.Module:
    torch.manual_seed(0)
    return kind(**SIZES[kind], **[{}, *VARIANTS.get(kind, [])][variant])


def settled(outputs) -> list[torch.Tensor]:
    """The tensors of an output, however nested."""
    if isinstance(outputs, torch.Tensor):
        return [outputs]
    return [tensor for part in outputs for tensor in settled(part)]


def check_call(tally, call, done, arguments, bounded=True) -> None:
    about = rf"\b({'|'.join(arguments)}|state|S|C|T|start)\b"
    try:
        outputs = settled(attempt(call, **arguments, about=about))
    except RefusedError:
        tally["refused"] += 1
        return
    tally["worked"] += 1
    for output in outputs:
        assert output.is_floating_point()
        assert (
            output.device.type == "meta"
            or not bounded
            or not tame(done)
            or torch.isfinite(output).all()
        ), done
    learned = [output for output in outputs if output.requires_grad]
    if learned:
        sum(output.sum() for output in learned).backward()


def check_module(tally, question):
    kind, variant, done, arguments = question
    check_call(tally, module(kind, variant), done, arguments)


@st.composite
def module_calls(draw):
    kind = draw(st.sampled_from(list(SIZES)))
    variant = draw(st.integers(0, len(VARIANTS.get(kind, []))))
    return kind, variant, *draw(changed(module_arguments(kind, variant)))


def test_modules(record_property):
    try_all(0.04, check_module, record_property, module_calls())


@st.composite
def constructions(draw):
    kind = draw(st.sampled_from(list(SIZES)))
    name = draw(st.sampled_from(sorted(inspect.signature(kind).parameters)))
    value = draw(st.sampled_from(PARAMETERS))
    if name in ("num_layers", "num_blocks", "num_loops", "n_steps") and isinstance(value, int):
        value = min(value, 2)  # a request for more loops than there is time is not refused
    return kind, name, value


def check_construction(tally, question):
    kind, name, value = question
    try:
        made = attempt(kind, **{**SIZES[kind], name: value}, about=rf"{name}\b|vector field")
    except RefusedError:
        tally["refused"] += 1
        return
    arguments = module_arguments(kind)
    if name == "input_size":
        key = next(iter(arguments))
        arguments[key] = numbers(*arguments[key].shape[:-1], int(value))
    if name == "hidden_size" and "drive" in arguments:
        arguments["drive"] = numbers(B, int(value))
        arguments["state"] = numbers(B, int(value), kind.n_states)
    attempt(made, **arguments, about="dt|state|steps")
    tally["worked"] += 1


def test_constructors(record_property):
    try_all(0.2, check_construction, record_property, constructions())


def _petnn_arguments() -> dict[str, torch.Tensor]:
    return {
        "x": numbers(B, T, I),
        "input_weight": numbers(6 * H, I),
        "recurrent_weight": numbers(4 * H, H),
        "bias": numbers(6 * H),
        "s": numbers(B, H),
        "c": numbers(B, H),
        "t": numbers(B, H),
        **sequences(),
    }


def _with_state(function):
    def call(s, c, t, **arguments):
        return function(**arguments, state=(s, c, t))

    return call


_STATE = {"state": numbers(2, B, P)}
_MODES = {"stiffness": torch.ones(P), "step": torch.full((P,), 0.5)}
_WAVES = {name: torch.full((P,), 0.5) for name in ("w", "c", "alpha", "step")}
_MAPS = {"b_matrix": numbers(P, I), "c_matrix": numbers(I, P), "skip": numbers(I)}
_NEURONS = {name: torch.full((H,), 0.5) for name in "abg"}
_SCHEME = {"dt": 0.1, "n_steps": 3}
KERNELS = {
    "petnn": (_with_state(petnn), _petnn_arguments(), {}),
    "trajectory": (_with_state(trajectory), _petnn_arguments(), {}),
    "oscillator": (oscillator, {"drive": numbers(B, T, P), **_MODES, **sequences()}, {}),
    "oscillator by echoes": (
        oscillator,
        {"drive": numbers(B, T, P), **_MODES, **_STATE, **sequences()},
        {"gradient": "rhel"},
    ),
    "oscillator unit": (
        oscillator_unit, {"u": numbers(B, T, I), **_MAPS, **_MODES, **_STATE, **sequences()}, {}
    ),
    "nonlinear oscillator": (
        nonlinear_oscillator, {"drive": numbers(B, T, P), **_WAVES, **sequences()}, {}
    ),
    "nonlinear oscillator unit": (
        nonlinear_oscillator_unit,
        {"u": numbers(B, T, I), "bias": numbers(P), **_MAPS, **_WAVES, **_STATE, **sequences()},
        {"gradient": "rhel"},
    ),
    "undone oscillator unit": (
        undo_oscillator_unit,
        {"u": numbers(B, T, I), "b_matrix": numbers(P, I), **_MODES, **_STATE, **sequences()},
        {},
    ),
    "neuron": (
        fitzhugh_nagumo,
        {"v": numbers(B, H), "w": numbers(B, H), "drive": numbers(B, H), **_NEURONS},
        _SCHEME,
    ),
    "packed neuron": (fitzhugh_nagumo_packed, {"start": numbers(B, 3, H), **_NEURONS}, _SCHEME),
}  # fmt: skip


@st.composite
def kernel_calls(draw):
    name = draw(st.sampled_from(sorted(KERNELS)))
    _, arguments, options = KERNELS[name]
    done, arguments = draw(changed(arguments))
    if options and draw(st.booleans()):
        option = draw(st.sampled_from(sorted(options)))
        options = {**options, option: draw(st.sampled_from(PARAMETERS))}
        if option == "n_steps" and isinstance(options[option], int):
            options[option] = min(options[option], 100)
        done["option"] = ["all huge"]  # of what comes out, nothing is known
    return name, done, {**arguments, **options}


def check_kernel(tally, question):
    name, done, arguments = question
    # A step of 1e6 is unstable, and the cube of 1e6, three times over, beyond float32.
    bounded = "large" not in repr(done)
    check_call(tally, KERNELS[name][0], done, arguments, bounded)


def test_kernels(record_property):
    try_all(0.08, check_kernel, record_property, kernel_calls())


PLANS = {
    "mod": (check_module, module_calls()),
    "con": (check_construction, constructions()),
    "ker": (check_kernel, kernel_calls()),
}
