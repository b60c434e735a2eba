"""How `augmentation.strength` makes a list of transforms milder or harsher."""

from collections.abc import Callable, Mapping
from typing import Any

Spec = tuple[tuple[str, dict[str, Any]], ...]
LEAST_FACTOR = 0.05  # a factor of 0 or below would not be milder or harsher but something else

# The value at which a parameter does nothing, by transform. A whole number: the parameter takes whole numbers only.
NEUTRAL: Mapping[str, Mapping[str, float]] = {
    "Affine": {"scale": 1.0, "translate_percent": 0.0, "translate_px": 0, "rotate": 0.0, "shear": 0.0},
    "Rotate": {"limit": 0.0},
    "SafeRotate": {"limit": 0.0},
    "RandomScale": {"scale_limit": 0.0},
    "Perspective": {"scale": 0.0},
    "ElasticTransform": {"alpha": 0.0},
    "GridDistortion": {"distort_limit": 0.0},
    "OpticalDistortion": {"distort_limit": 0.0},
    "RandomBrightnessContrast": {"brightness_limit": 0.0, "contrast_limit": 0.0},
    "ColorJitter": {"brightness": 1.0, "contrast": 1.0, "saturation": 1.0, "hue": 0.0},
    "HueSaturationValue": {"hue_shift_limit": 0.0, "sat_shift_limit": 0.0, "val_shift_limit": 0.0},
    "RGBShift": {"r_shift_limit": 0.0, "g_shift_limit": 0.0, "b_shift_limit": 0.0},
    "RandomGamma": {"gamma_limit": 100.0},
    "RandomToneCurve": {"scale": 0.0},
    "GaussianBlur": {"sigma_limit": 0.0},
    "GaussNoise": {"std_range": 0.0, "mean_range": 0.0},
    "ISONoise": {"color_shift": 0.0, "intensity": 0.0},
    "MultiplicativeNoise": {"multiplier": 1.0},
    "ImageCompression": {"quality_range": 100},
    "Downscale": {"scale_range": 1.0},
    "RandomFog": {"fog_coef_range": 0.0},
    "RandomShadow": {"shadow_intensity_range": 0.0},
    "Sharpen": {"alpha": 0.0},
}


def scaled(spec: Spec, strength: float, default: Callable[[str, str], Any]) -> Spec:
    """The transforms at `strength`: 0 none, 1 as written.

    Each value of a parameter in `NEUTRAL`, written or `default(transform, parameter)`, moves on the line from its
    neutral value (strength 0) over the written one (1) and beyond. Without such a parameter the probability does,
    up to 1 times itself.

    >>> scaled((("Affine", {"scale": [0.8, 1.2], "p": 0.5}), ("HorizontalFlip", {"p": 0.5})), 0.5, lambda *_: None)
    (('Affine', {'scale': [0.9, 1.1], 'p': 0.5}), ('HorizontalFlip', {'p': 0.25}))
    """
    if strength == 0:
        return ()
    if strength == 1:
        return spec
    return tuple((name, _scaled(name, dict(parameters), strength, default)) for name, parameters in spec)


def _scaled(
    name: str, parameters: dict[str, Any], strength: float, default: Callable[[str, str], Any]
) -> dict[str, Any]:
    neutral = NEUTRAL.get(name)
    if neutral is None:
        return {**parameters, "p": parameters.get("p", default(name, "p")) * min(strength, 1)}
    for key, value in neutral.items():
        written = parameters.get(key, default(name, key))
        if written is not None:
            parameters[key] = _moved(written, value, strength)
    return parameters


def _moved(value: Any, neutral: float, strength: float) -> Any:
    """`value`: a number, a range, or one of either for x and y."""
    if isinstance(value, Mapping):
        return {axis: _moved(each, neutral, strength) for axis, each in value.items()}
    if isinstance(value, list | tuple):
        return [_moved(each, neutral, strength) for each in value]
    moved = round(neutral + strength * (value - neutral), 6)
    if isinstance(neutral, int):
        return round(moved)
    return max(moved, LEAST_FACTOR) if neutral == 1 else moved
