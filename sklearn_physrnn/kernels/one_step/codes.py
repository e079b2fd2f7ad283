"""What an instruction of a program can say, and what came of running it."""

from enum import IntEnum

DONE, BAD_INPUT, BAD_OUTPUT = range(3)


class Code(IntEnum):
    """Instructions; ``Program`` says what each does."""

    INPUT = 0
    SCALED_INPUT = 1
    EMBEDDED = 2
    AFFINE = 3
    STANDARDISED = 4
    NORMALISED = 5
    RECTIFIED = 6
    GELU = 7
    GATED = 8
    ADDED = 9
    LINEAR = 10
    NONLINEAR = 11
    NEURONS = 12
    MEAN = 13
    LARGEST = 14
    SAID = 15
    DAMPED = 16
