"""Metrics: counts first, scores from counts."""

from segmentation.metrics.scores import metric_names, metrics_from
from segmentation.metrics.segmentation import SegmentationMetric, confusion_counts

__all__ = ["SegmentationMetric", "confusion_counts", "metric_names", "metrics_from"]
