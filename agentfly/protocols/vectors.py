"""Arrays by name. Imported by type checkers only: numpy takes 0.1 s to import and most callers only need the names."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Vector: TypeAlias = NDArray[np.float32]
Scores: TypeAlias = NDArray[np.float64]
