"""More memory than allowed by a library that reserves its own."""

import numpy

try_to("a large array", numpy.ones, (HOST["memory_mb"] + 64) << 17)
