"""From pictures to evidence: which models differ, in what, by how much, and how surely.

    from distcari.analysis import compare, between_within, distance_matrix

    print(compare("store", "single_texture", "single_camera"))
    between_within("store", "colour")               # between- against within-model distances, a pandas frame
    distance_matrix("store", "layer3_3", "spectrum")

`distcari compare STORE A B --out report.html` writes a page with pictures. Recipes and what may be
concluded from how many seeds: docs/analysis.md. Needs no torch but for the metric `activation`.
"""

from distcari.analysis.between import between_within
from distcari.analysis.comparison import compare
from distcari.analysis.distances import distance_matrix
from distcari.analysis.judge import Judge, open_judge
from distcari.analysis.matching import match_groups, match_inputs
from distcari.analysis.metrics import Metric
from distcari.analysis.result import Comparison
from distcari.analysis.separation import separation
from distcari.analysis.similarity import agreement, similarity
from distcari.analysis.study import Study, open_study
from distcari.analysis.trend import trend
from distcari.analysis.trend_result import Trend

__all__ = [
    "Comparison",
    "Judge",
    "Metric",
    "Study",
    "Trend",
    "agreement",
    "between_within",
    "compare",
    "distance_matrix",
    "match_groups",
    "match_inputs",
    "open_judge",
    "open_study",
    "separation",
    "similarity",
    "trend",
]
