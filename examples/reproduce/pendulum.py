"""A pendulum's constants from its motion, and what knowing its equation is worth.

A few swings of a damped pendulum (g/L 14.0 per s², friction 0.30 per s) are measured with noise,
at angles up to 1 rad and for 2 s. Three right sides of the equation of motion are trained alike
(the same rows, loss, solver, L-BFGS): the pendulum's with two unknown constants; one that knows
only that the angle's derivative is the velocity, a perceptron the rest; and a perceptron for both.
Then they are held against swings without noise: as small ones, up to 2.5 rad, and for 6 s in place
of 2.
"""

import time

import numpy as np
import torch
from _report import Report, parser, read
from torch import nn

from sklearn_physrnn.nn import VectorField, integrate

STIFFNESS, FRICTION = 14.0, 0.30
STEP = 0.05  # seconds from one measurement to the next, and of the solver
SMALL, LARGE = 1.0, 2.5  # rad


class Pendulum(VectorField):
    """The equation, with g/L and the friction unknown."""

    n_states = n_observed = 2

    def __init__(self, stiffness=5.0, friction=1.0):
        super().__init__()
        self.log_stiffness = nn.Parameter(torch.tensor(stiffness).log())
        self.log_friction = nn.Parameter(torch.tensor(friction).log())

    def forward(self, state, drive):
        """Give the velocity and the acceleration."""
        angle, velocity = state.unbind(-1)
        force = -self.log_stiffness.exp() * angle.sin() - self.log_friction.exp() * velocity
        return torch.stack((velocity, force + drive), -1)


class Perceptron(VectorField):
    """A right side that knows nothing, or that the angle's derivative is the velocity."""

    n_states = n_observed = 2

    def __init__(self, *, second_order):
        super().__init__()
        self.second_order = second_order
        self.layers = nn.Sequential(
            nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(),
            nn.Linear(32, 1 if second_order else 2),
        )  # fmt: skip

    def forward(self, state, drive):
        """Give the state's derivative."""
        found = self.layers(state)
        return torch.cat((state[..., 1:], found), -1) if self.second_order else found


def swings(field, starts, n_steps):
    """Follow swings (n, 1, 2) from their first states: (n_steps + 1, n, 1, 2)."""
    states = [starts]
    for _ in range(n_steps):
        rest = torch.zeros_like(starts[..., 0])
        states.append(integrate(field, states[-1], rest, "rk4", 1, STEP))
    return torch.stack(states)


def first_states(n, largest, rng):
    """Draw angles to either side, at rest or nearly so."""
    angles = rng.choice([-1, 1], n) * rng.uniform(0.3, 1, n) * largest
    return torch.tensor(np.stack([angles, rng.normal(0, 0.3, n)], -1)[:, None])


def learn(field, measured, n_iterations):
    """Fit a field, and where swings truly began, to measured states; return seconds."""
    begin = time.perf_counter()
    starts = nn.Parameter(measured[0].clone())
    unit = measured.std(dim=(0, 1, 2))
    optimizer = torch.optim.LBFGS(
        [*field.parameters(), starts], max_iter=n_iterations, line_search_fn="strong_wolfe"
    )

    def loss():
        optimizer.zero_grad()
        off = (swings(field, starts, len(measured) - 1) - measured) / unit
        error = off.square().mean()
        error.backward()
        return error

    optimizer.step(loss)
    return time.perf_counter() - begin


def main(arguments=None):
    options = parser(__doc__, seeds=10)
    options.add_argument("--swings", type=int, default=5)
    options.add_argument("--noise", type=float, nargs="*", default=[0.02, 0.1], help="rad, rad/s")
    options = read(options, arguments)
    n_steps, n_iterations = (5, 2) if options.quick else (40, 150)
    truth = Pendulum(STIFFNESS, FRICTION).double()
    report = Report("pendulum", options, 13 * len(options.noise) * options.seeds)
    for noise in options.noise:
        for seed in range(options.seeds):
            rng = np.random.default_rng(seed)
            with torch.no_grad():
                motion = swings(truth, first_states(options.swings, SMALL, rng), n_steps)
                measured = motion + noise * torch.tensor(rng.normal(size=motion.shape))
                small, large = (first_states(50, most, rng) for most in (SMALL, LARGE))
            torch.manual_seed(seed)
            fields = {
                "pendulum": Pendulum(),
                "perceptron for the force": Perceptron(second_order=True),
                "perceptron": Perceptron(second_order=False),
            }
            data = f"{options.swings} swings, noise {noise:g}"
            for name, field in fields.items():
                seconds = learn(field.double(), measured, n_iterations)
                n = sum(p.numel() for p in field.parameters())
                row = {"model": name, "seed": seed, "parameters": n, "seconds": seconds}
                with torch.no_grad():
                    for kind, starts, longer in (
                        ("like these", small, 1), ("larger", large, 1), ("longer", small, 3),
                    ):  # fmt: skip
                        found, true = (swings(f, starts, longer * n_steps) for f in (field, truth))
                        off = (found - true)[..., 0]
                        error = float(off.square().mean().sqrt().nan_to_num(99.0).clamp(max=99.0))
                        report.add(data=f"{data}, {kind}", metric="RMSE", value=error, **row)
                if name == "pendulum":
                    for metric, value in (
                        ("g/L", field.log_stiffness), ("friction", field.log_friction),
                    ):  # fmt: skip
                        value = float(value.detach().exp())
                        report.add(data=data, metric=metric, value=value, **row)
    report.summary()


if __name__ == "__main__":
    main()
