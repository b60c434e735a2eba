"""Metrics: counts first, scores from counts."""

from segmentation.metrics.segmentation import SegmentationMetric, confusion_counts, metric_names, metrics_from

__all__ = ["SegmentationMetric", "confusion_counts", "metric_names", "metrics_from"]
