"""Modules of torch that act again and again: over a number of steps, or along time."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from onnx import helper
from torch import nn

from ._graph import TYPES, Graph, Value
from ._translation import call

# Adds one step to a graph, from state and inputs to the next state and outputs.
Body = Callable[[Graph, list[Value], list[Value]], tuple[list[Value], list[Value]]]


def repeated(graph: Graph, body: nn.Module, n_times: int, state: Value, *given: Value) -> Value:
    """Let `body`, (state, *given) -> state, act so many times."""
    inner = Graph(graph)
    carried = Value(inner.fresh("state"), state.dtype, state.shape)
    (after,) = call(inner, body, carried, *given)
    assert state.dtype is not None
    after = inner.named(inner.cast(after, state.dtype), "state")
    count, go_on = inner.fresh("count"), inner.fresh("go_on")
    going = inner.node("Identity", go_on)
    proto = inner.proto(
        "step",
        [
            helper.make_tensor_value_info(count, TYPES[torch.int64], []),
            helper.make_tensor_value_info(go_on, TYPES[torch.bool], []),
            carried.info(),
        ],
        [helper.make_tensor_value_info(going, TYPES[torch.bool], []), after.info()],
    )
    times, always = (graph.constant(np.array(x)) for x in (n_times, True))
    return Value(graph.node("Loop", times, always, state.name, body=proto), *state[1:])


def along_time(
    graph: Graph,
    body: Body,
    state: Sequence[Value],
    steps: Sequence[Value],
    from_end: Sequence[Value] = (),
) -> tuple[list[Value], list[Value]]:
    """Walk through sequences.

    Parameters
    ----------
    graph : Graph
    body : callable
    state : sequence of Value
        Before the first step.
    steps : sequence of Value of shape (batch, time, ...)
    from_end : sequence of Value of shape (batch, time, ...)
        Of which `body` sees the last step first, after those of `steps`. Where there are
        some, the second half of its outputs belongs to their steps.

    Returns
    -------
    state : list of Value
        After the last step.
    outputs : list of Value of shape (batch, time, ...)
    """
    inner = Graph(graph)
    carried = [Value(inner.fresh("state"), *value[1:]) for value in state]
    now = [
        Value(inner.fresh("now"), value.dtype, (value.shape[0], *value.shape[2:]))
        for value in (*steps, *from_end)
    ]
    after, found = body(inner, carried, now)
    after = [inner.named(value, "state") for value in after]
    found = [inner.named(value, "found") for value in found]
    proto = inner.proto(
        "step",
        [value.info() for value in (*carried, *now)],
        [value.info() for value in (*after, *found)],
    )
    ways = {"scan_input_axes": [1] * len(now), "scan_output_axes": [1] * len(found)}
    if from_end:
        half = len(found) // 2
        ways["scan_input_directions"] = [0] * len(steps) + [1] * len(from_end)
        ways["scan_output_directions"] = [0] * half + [1] * half
    names = graph.nodes(
        "Scan",
        *(value.name for value in (*state, *steps, *from_end)),
        n_outputs=len(after) + len(found),
        body=proto,
        num_scan_inputs=len(now),
        **{name: numbers for name, numbers in ways.items() if numbers},
    )
    time = steps[0].shape[1]
    values = [Value(name, *value[1:]) for name, value in zip(names, after, strict=False)]
    outputs = [
        Value(name, value.dtype, (value.shape[0], time, *value.shape[1:]))
        for name, value in zip(names[len(after) :], found, strict=True)
    ]
    return values, outputs
