"""Metrics: counts first, scores from counts."""

from segmentation.metrics.multilabel import MultiLabelMetric
from segmentation.metrics.segmentation import SegmentationMetric, confusion_counts, metric_names, metrics_from

__all__ = ["MultiLabelMetric", "SegmentationMetric", "confusion_counts", "metric_names", "metrics_from"]
