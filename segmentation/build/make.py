"""Instantiating what a node of the configuration names."""

from typing import Any

from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from segmentation.errors import UserError


def make(node: Any, **arguments: Any) -> Any:
    """Instantiate a node. Raises the `UserError` of what it calls as it is, and makes one of any other exception."""
    try:
        return instantiate(node, **arguments, _convert_="all")
    except InstantiationException as error:
        cause = error.__cause__
        if isinstance(cause, UserError):
            raise cause from None
        reason = " ".join(str(cause or error).split())
        raise UserError(f"{node['_target_']} cannot be built as configured: {reason}") from error


def plain(node: DictConfig) -> dict[str, Any]:
    content: dict[str, Any] = OmegaConf.to_container(node, resolve=True)  # type: ignore[assignment]
    return content
