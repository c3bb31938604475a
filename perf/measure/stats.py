# SPDX-License-Identifier: Apache-2.0
"""Medians of short runs. A ratio is formed within each pair of neighbouring runs, and the median of ratios taken."""
import statistics


def median(values):
    values = [v for v in values if v is not None]
    return statistics.median(values) if values else None


def spread(values):
    """Lower and upper quartile; the extremes when there are few."""
    values = sorted(v for v in values if v is not None)
    if not values:
        return None
    if len(values) < 4:
        return [values[0], values[-1]]
    quartiles = statistics.quantiles(values, n=4)
    return [quartiles[0], quartiles[2]]


def summary(values):
    values = [v for v in values if v is not None]
    return {"median": median(values), "spread": spread(values), "runs": values}


def pairwise(a, b, combine):
    return [combine(x, y) for x, y in zip(a, b) if x is not None and y is not None]
